"""Who does what is being done, and why: kept beside the work, not handed from call to call."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass

LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody or something that acts: a user, a key of theirs, or a part of the system."""

    name: str
    via: str  # admin, api, command, job
    user: int | None = None
    key: str = ""  # the id of the key that signed the request
    request: str = ""

    def told(self, reason: str = "") -> str:
        """Return this as the database's triggers read it."""
        return json.dumps(asdict(self) | {"reason": reason})


_actor: ContextVar[Callable[[], Actor] | None] = ContextVar("actor", default=None)
_reason: ContextVar[str] = ContextVar("reason", default="")


@contextmanager
def acting(who: Callable[[], Actor]) -> Iterator[None]:
    """Let everything within be the work of `who`, which is asked where that is told."""
    token = _actor.set(who)
    try:
        yield
    finally:
        _actor.reset(token)


@contextmanager
def because(reason: str) -> Iterator[None]:
    """Let what is told of everything within give this reason."""
    token = _reason.set(reason)
    try:
        yield
    finally:
        _reason.reset(token)


def actor() -> Actor | None:
    """Return who acts; None where the system works by itself."""
    who = _actor.get()
    return None if who is None else who()


def reason() -> str:
    """Return why, or nothing where nobody said."""
    return _reason.get()
