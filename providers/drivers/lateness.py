"""The last moment of what is being sent, known to whoever makes its connection."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

_not_after: ContextVar[datetime | None] = ContextVar("not_after", default=None)


@contextmanager
def before(moment: datetime | None) -> Iterator[None]:
    """Let nothing be sent in this context over a connection that stands from `moment` on.

    To look up a name and try its addresses may take longer than any time-out tells.
    """
    token = _not_after.set(moment)
    try:
        yield
    finally:
        _not_after.reset(token)


def too_late() -> bool:
    """Say whether a connection that stands now stands too late for this context.

    The time of day counts, which goes on while a machine is suspended.
    """
    moment = _not_after.get()
    return moment is not None and datetime.now(UTC) >= moment
