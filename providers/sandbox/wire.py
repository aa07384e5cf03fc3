"""The other side of the wire: what an institution is asked and what it answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl

NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it arrived. Header names are in lower case."""

    method: str
    path: str
    raw_query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def query(self) -> Mapping[str, str]:
        """The parameters of the address; raises ValueError if one comes twice."""
        return once(self.raw_query) if self.raw_query else NOTHING

    @property
    def form(self) -> Mapping[str, str]:
        """The body's fields, none unless it is form-encoded."""
        kind = self.headers.get("content-type", "").partition(";")[0].strip()
        if kind != "application/x-www-form-urlencoded":
            return NOTHING
        return once(self.body.decode())


@lru_cache(50_000)
def once(text: str) -> Mapping[str, str]:
    """Return the fields in `text`; raises ValueError if one comes twice."""
    pairs = parse_qsl(text, keep_blank_values=True)
    if len(found := dict(pairs)) < len(pairs):
        raise ValueError("A parameter comes twice")
    return MappingProxyType(found)


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back. `delay` is in seconds; `cut` breaks off in the middle."""

    body: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    delay: float = 0.0
    cut: bool = False

    @classmethod
    def of(
        cls, body: Any, status: int = 200, headers: Mapping[str, str] = NOTHING
    ) -> Answer:
        """Return `body` as JSON, or as it is where it is bytes."""
        raw = body if isinstance(body, bytes) else as_json(body).encode()
        return cls(raw, status, headers)


def as_json(value: Any) -> str:
    """Return `value` as JSON; a Decimal stands there as the number that it is."""
    try:
        return json.dumps(value)
    except TypeError:
        return _exactly(value)


def _exactly(value: Any) -> str:
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, dict):
        pairs = (f"{json.dumps(k)}: {_exactly(v)}" for k, v in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_exactly, value)) + "]"
    return json.dumps(value)


class Dropped(Exception):
    """The connection ends without an answer."""


class Late(Exception):
    """The request is carried out only later, and the caller does not wait so long."""

    def __init__(self, seconds: float, status: int | None) -> None:
        super().__init__(seconds)
        self.seconds, self.status = seconds, status


class Declined(Exception):
    """The institution says no, in its own words."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(status, body)
        self.answer = Answer.of(body, status)
