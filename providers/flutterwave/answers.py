"""The envelope that every answer of either version comes in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def rows_of(body: Any) -> Sequence[Mapping[str, Any]]:
    """Return the objects of a list that was asked for; raises where it went wrong."""
    if body["status"] != "success":
        raise ValueError(f"It says {body.get('message')!r:.200}")
    found = body["data"]
    if not isinstance(found, list) or not all(isinstance(r, dict) for r in found):
        raise TypeError("data is no list of objects")
    return found
