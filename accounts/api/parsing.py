"""JSON as it may come in: bounded, in one reading only, and storable."""

from __future__ import annotations

from typing import Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

from accounts.strictjson import strict_json

from .problems import TooLarge

LARGEST_BODY = 1_000_000  # bytes
DEEPEST = 32


class StrictJSONParser(JSONParser):
    """Refuses NaN, doubled keys, deep nesting, NUL and lone surrogates."""

    def parse(self, stream, media_type=None, parser_context=None) -> Any:
        """Return the parsed body; raises ParseError and TooLarge."""
        raw = self.read(stream)
        try:
            data = strict_json(raw)
            check(data)
        except RecursionError as error:
            raise ParseError("The JSON is nested too deeply") from error
        except ValueError as error:  # JSON, UTF-8 and number errors alike
            raise ParseError(f"This is not plain JSON: {error}"[:200]) from error
        return data

    def read(self, stream) -> bytes:
        length = getattr(stream, "META", {}).get("CONTENT_LENGTH") or "0"
        if length.isdecimal() and int(length) > LARGEST_BODY:
            raise TooLarge
        raw = stream.read(LARGEST_BODY + 1)
        if len(raw) > LARGEST_BODY:
            raise TooLarge
        return raw


def check(value: Any, depth: int = 0) -> None:
    """Raise ValueError for what PostgreSQL or a reader could not hold."""
    if depth > DEEPEST:
        raise ValueError("it is nested too deeply")
    if isinstance(value, str):
        check_text(value)
    elif isinstance(value, dict):
        for key, inner in value.items():
            check_text(key)
            check(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            check(inner, depth + 1)


def check_text(text: str) -> None:
    if "\0" in text:
        raise ValueError("a text holds a NUL character")
    text.encode()  # a lone surrogate raises UnicodeEncodeError, a ValueError
