"""What is kept of one account, as one text: a balance with all that judges its age.

The moment and the source stand first, because the store itself compares them.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

SEPARATOR = "\x1f"
MARKED = "!"  # the source of an entry that says nothing but: ask the row
NEVER = -1
DISTRUSTED = 0  # the limit of a balance that a later reading contradicts
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class Entry(NamedTuple):
    """A balance as it is kept. Amounts are minor units, moments µs since 1970.

    Amounts are None where nothing is known, and then `as_of` is 0.
    """

    as_of: int
    source: str
    workspace: str
    connection: str
    asset: str
    total: int | None
    available: int | None
    held: int | None
    fetched_at: int
    limit: int | None  # seconds after which it is stale; None: never
    ask_from: int  # before this moment asking the provider cannot help; or NEVER
    error: str

    @property
    def known(self) -> bool:
        return self.total is not None


def pack(entry: Entry) -> str:
    """Return `entry` as one text."""
    parts = ["" if part is None else str(part) for part in entry[:-1]]
    return SEPARATOR.join([*parts, entry.error.replace(SEPARATOR, " ")])


def unpack(text: str) -> Entry | None:
    """Return what `pack` was given; None for what is marked. Raises ValueError."""
    parts = text.split(SEPARATOR)
    if len(parts) > 1 and parts[1] == MARKED:
        return None
    as_of, source, workspace, connection, asset, *numbers, error = parts
    total, available, held, fetched_at, limit, ask_from = numbers
    return Entry(
        int(as_of),
        source,
        workspace,
        connection,
        asset,
        _whole(total),
        _whole(available),
        _whole(held),
        int(fetched_at),
        _whole(limit),
        int(ask_from),
        error,
    )


def mark(nonce: str, as_of: int = 0) -> str:
    """Return what says that the row must be asked; each `nonce` is used once."""
    return f"{as_of}{SEPARATOR}{MARKED}{SEPARATOR}{nonce}"


def micros(moment: datetime) -> int:
    """Return `moment` in µs since 1970."""
    return (moment - EPOCH) // MICROSECOND


def text_of(at: int) -> str:
    """Return a moment in RFC 3339, in UTC."""
    return (EPOCH + at * MICROSECOND).isoformat().replace("+00:00", "Z")


def _whole(text: str) -> int | None:
    return int(text) if text else None
