"""What a row or a state has under several names, read at once."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from operator import attrgetter
from typing import Any


def attributes(thing: object, names: tuple[str, ...]) -> dict[str, Any]:
    """Return what `thing` has under two or more `names`."""
    return dict(zip(names, getter(names)(thing), strict=True))


@cache
def getter(names: tuple[str, ...]) -> Callable[[object], tuple[Any, ...]]:
    return attrgetter(*names)
