"""Text from outside, made fit for PostgreSQL without losing the rest of a batch."""

from __future__ import annotations

import json
from typing import Any


def clean(text: str, longest: int) -> str:
    """Return `text` without what PostgreSQL refuses (NUL, lone surrogates), cut."""
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode()
    return text.replace("\0", "")[:longest]


def is_clean(text: str, longest: int) -> bool:
    """Return whether `text` may be an identifier: kept as it is, it identifies."""
    return 0 < len(text) <= longest and clean(text, longest) == text


def clean_json(value: Any) -> str:
    """Return `value` as JSON that jsonb accepts; exact decimals become strings."""
    return json.dumps(_cleaned(value), default=str, ensure_ascii=False)


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value, 10_000)
    if isinstance(value, dict):
        return {clean(str(k), 200): _cleaned(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(v) for v in value]
    return value
