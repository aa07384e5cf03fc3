"""JSON that can be read in one way only."""

from __future__ import annotations

import json
from typing import Any


def strict_json(raw: str | bytes) -> Any:
    """Return what `raw` holds; raises ValueError, RecursionError.

    NaN and its like are refused, and objects that hold a key twice.
    """
    return json.loads(raw, parse_constant=refuse, object_pairs_hook=without_doubles)


def refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key appears twice")
    return found
