"""The chain that seals the audit: each link holds the hash of an event and of the link before.

PURE: it reads nothing and stores nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

GENESIS = "0" * 64  # what stands before the first link
# No transaction of balsync is open for so long: what is sealed later was written later.
LATE = timedelta(hours=1)


def plain(value: Any) -> Any:
    """Return `value` as it is kept and hashed: numbers, ids and moments as strings."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, Mapping):
        return {str(name): plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(part) for part in value]
    return value.isoformat() if isinstance(value, datetime) else str(value)


def canonical(event: Mapping[str, Any]) -> str:
    """Return the one text that an event is hashed as: JSON, sorted, without blanks."""
    return json.dumps(
        plain(event), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )


def link(previous: str, text: str) -> str:
    """Return the hash of a link: SHA-256 over the hash before it, a line feed, and `text`."""
    return hashlib.sha256(f"{previous}\n{text}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Link:
    """A link as it is stored, with its event as it reads now."""

    position: int
    event: int
    hash: str
    sealed_at: datetime
    text: str | None  # None: the event is gone
    created: datetime | None = None


@dataclass(slots=True)
class Walk:
    """What was found while walking the chain from its first link."""

    expected: str = ""  # a head that somebody kept elsewhere
    count: int = 0
    head: str = GENESIS
    found_at: int | None = None  # the position of the head that was expected
    breaks: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    _position: int = 0
    _batch: datetime | None = None  # when the links now walked were sealed
    _before: datetime | None = None  # when those before them were

    def take(self, found: Link) -> None:
        """Judge the next link."""
        self.count += 1
        whole = found.position == self._position + 1
        self.breaks.extend(self._wrong(found, whole))
        self._judge_moment(found)
        self._position, self.head = found.position, found.hash
        if found.hash == self.expected:
            self.found_at = found.position

    def _wrong(self, found: Link, whole: bool) -> Iterator[str]:
        if not whole:
            first, last = self._position + 1, found.position - 1
            which = f"link {first}" if first == last else f"links {first} to {last}"
            yield f"{which} removed: nothing stands between"
        if found.text is None:
            yield f"link {found.position}: event {found.event} was removed"
        elif whole and link(self.head, found.text) != found.hash:
            yield (
                f"link {found.position}: event {found.event} is not what was sealed; "
                "it was changed, or one was removed or inserted before it"
            )

    def _judge_moment(self, found: Link) -> None:
        if found.sealed_at != self._batch:
            self._before, self._batch = self._batch, found.sealed_at
        before, created = self._before, found.created
        if before is not None and created is not None and created < before - LATE:
            self.late.append(
                f"link {found.position}: event {found.event} says {created:%F %T}, but "
                f"was not there when the chain was sealed at {before:%F %T}"
            )

    def finish(self) -> None:
        """Judge the end of the chain by the head that somebody kept."""
        if self.expected and self.found_at is None and self.expected != GENESIS:
            self.breaks.append(
                "the head that was kept is in no link: what it sealed was removed "
                "or written anew"
            )
