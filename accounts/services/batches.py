"""Many things, some at a time."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

T = TypeVar("T")


def batches(items: list[T], size: int) -> list[list[T]]:
    """Return `items` in order, at most `size` at a time."""
    return [items[start : start + size] for start in range(0, len(items), size)]


def grouped(items: Iterable[T], kind: Callable[[T], Hashable]) -> list[list[T]]:
    """Return `items` in order, those of one `kind` together."""
    groups: dict[Hashable, list[T]] = {}
    for item in items:
        groups.setdefault(kind(item), []).append(item)
    return list(groups.values())
