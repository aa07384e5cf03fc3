"""JSON that can be read in one way only."""

from __future__ import annotations

import json
import re
from math import isfinite
from typing import Any


def strict_json(raw: str | bytes) -> Any:
    """Return what `raw` holds, bytes in UTF-8; raises ValueError, RecursionError.

    NaN and its like are refused, objects that hold a key twice, and numbers that would
    become infinite or nothing.
    """
    # Of bytes, Python would guess the encoding, and let halves of characters pass.
    text = raw.decode("utf-8-sig") if isinstance(raw, bytes) else raw
    return json.loads(
        text,
        parse_float=within_bounds,
        parse_constant=refuse,
        object_pairs_hook=without_doubles,
    )


def within_bounds(text: str) -> Any:
    """Return a number with a fraction or an exponent; raises ValueError.

    No amount may be one: they come as texts.
    """
    value = json.loads(text)
    vanished = value == 0 and re.search("[1-9]", re.split("[eE]", text)[0])
    if not isfinite(value) or vanished:
        raise ValueError(f"{text:.40} is too large or too small")
    return value


def refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key appears twice")
    return found
