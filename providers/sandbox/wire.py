"""The other side of the wire: what an institution is asked and what it answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl

NOTHING: Mapping[str, str] = {}


@dataclass(frozen=True)
class Asked:
    """A request as it arrived. Header names are in lower case."""

    method: str
    path: str
    raw_query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @cached_property
    def query(self) -> Mapping[str, str]:
        """Return the parameters of the address; raises ValueError if one comes twice."""
        return _once(self.raw_query) if self.raw_query else NOTHING

    @cached_property
    def form(self) -> Mapping[str, str]:
        """Return the body's fields, none unless it is form-encoded."""
        kind = self.headers.get("content-type", "").partition(";")[0].strip()
        if kind != "application/x-www-form-urlencoded":
            return NOTHING
        return _once(self.body.decode())


def _once(text: str) -> Mapping[str, str]:
    pairs = parse_qsl(text, keep_blank_values=True)
    if len(found := dict(pairs)) < len(pairs):
        raise ValueError("A parameter comes twice")
    return found


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
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return cls(raw, status, headers)


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
