"""The books of an institution: every movement it really made, and what follows from them."""

from __future__ import annotations

from bisect import insort
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from providers.money import Asset, MoneyError, whole

from . import clock
from .journal import Journal, Record

OUTSIDE = "outside"  # where money comes from and goes to: it may be negative


@dataclass(frozen=True, slots=True)
class Holder:
    """Something that holds money of one asset, and what the institution knows of it."""

    id: str
    asset: Asset
    opened: datetime
    facts: Mapping[str, Any] = field(default_factory=dict)

    def record(self) -> Record:
        opened = clock.text(self.opened)
        return {
            "holder": self.id,
            "asset": str(self.asset),
            "opened": opened,
            "facts": dict(self.facts),
        }


@dataclass(frozen=True, slots=True)
class Entry:
    """One movement, in minor units. A declined one moved nothing but is remembered."""

    id: str
    source: str
    target: str
    amount: int
    moment: datetime
    scope: str = ""  # whose dedupe ids these are
    dedupe_id: str = ""
    settled: bool = True
    declined: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)

    def record(self) -> Record:
        """Return this entry in JSON's words; money is text."""
        plain = asdict(self)
        return plain | {"amount": str(self.amount), "moment": clock.text(self.moment)}

    @classmethod
    def read(cls, record: Record) -> Entry:
        moment = clock.parse(record["moment"])
        return cls(**record | {"amount": int(record["amount"]), "moment": moment})

    def effect(self, holder: str) -> int:
        """Return what this changed of the money of `holder`."""
        if self.declined:
            return 0
        return self.amount * ((self.target == holder) - (self.source == holder))


class Ledger:
    """Balances are sums of movements. What changes is in the journal before it is here."""

    def __init__(self, journal: Journal | None = None) -> None:
        self.journal = journal or Journal()
        self._empty()
        for record in self.journal.replay():
            self._take(record)

    def _empty(self) -> None:
        self.holders: dict[str, Holder] = {}
        self.entries: dict[str, Entry] = {}
        self.held: dict[str, int] = {}
        self.lines: dict[str, list[tuple[datetime, int, str]]] = {}
        self.applied: dict[tuple[str, str], str] = {}
        self.topics: dict[str, dict[str, Any]] = {}
        # What was worked out, by what it is about; forgotten when that changes.
        self.memo: dict[str, dict[Any, Any]] = {}

    # -- changing

    def open(self, *holders: Holder) -> None:
        """Open accounts; many at once cost one write."""
        self._write([holder.record() for holder in holders], sync=True)

    def amend(self, holder: str, **facts: Any) -> None:
        """Change what is known of `holder`: its name, a lock, that it was closed."""
        known = self.holders[holder]
        self.open(replace(known, facts={**known.facts, **facts}))

    def move(self, *entries: Entry) -> None:
        """Make movements really happen: on the disk first, all or none."""
        for entry in entries:
            if entry.id in self.entries:
                raise ValueError(f"{entry.id} happened already")
        self._record(*entries)

    def settle(self, entry: str, **changes: Any) -> None:
        """Make a pending entry final, perhaps with another amount, or declined."""
        self._record(replace(self.entries[entry], settled=True, **changes))

    def put(self, *facts: tuple[str, str, Any], sync: bool = True) -> None:
        """Remember (topic, key, value), all or none; None as the value forgets it."""
        records = [{"topic": t, "key": k, "value": v} for t, k, v in facts]
        self._write(records, sync=sync)

    def clear(self) -> None:
        self.journal.erase()
        self._empty()

    # -- asking

    def topic(self, name: str) -> Mapping[str, Any]:
        return self.topics.get(name, {})

    def balance(self, holder: str, at: datetime | None = None) -> int:
        """Return what `holder` holds, or held just after the moment `at`."""
        balance = self.held.get(holder, 0)
        if at is None:
            return balance
        late = self.lines.get(holder, [])
        return balance - sum(
            self.entries[line[2]].effect(holder) for line in late if line[0] > at
        )

    def of(self, holder: str, at: datetime | None = None) -> list[Entry]:
        """Return the movements of `holder`, oldest first, ties in the order they came."""
        lines = self.lines.get(holder, [])
        return [self.entries[line[2]] for line in lines if at is None or line[0] <= at]

    def made(
        self, scope: str, dedupe_id: str, since: datetime | None = None
    ) -> Entry | None:
        """Return what was done under a dedupe id, unless that is too long ago."""
        found = self.entries.get(self.applied.get((scope, dedupe_id), ""))
        if found is None or (since is not None and found.moment < since):
            return None
        return found

    # -- keeping

    def _record(self, *entries: Entry) -> None:
        for entry in entries:
            self._verify(entry)
        self._write([{"entry": entry.record()} for entry in entries], sync=True)

    def _verify(self, entry: Entry) -> None:
        if whole(entry.amount) <= 0:
            raise MoneyError("A movement moves more than nothing")
        ends = [self.holders[e] for e in (entry.source, entry.target) if e != OUTSIDE]
        if len({holder.asset for holder in ends}) != 1 or entry.source == entry.target:
            raise MoneyError("A movement is of one asset, from one place to another")

    def _write(self, records: list[Record], *, sync: bool) -> None:
        self.journal.append(records, sync=sync)
        for record in records:
            self._take(record)

    def _take(self, record: Record) -> None:
        if "entry" in record:
            self._enter(Entry.read(record["entry"]))
            return
        self.memo.clear()
        if "holder" in record:
            self._open(record)
        elif record["value"] is None:
            self.topics.get(record["topic"], {}).pop(record["key"], None)
        else:
            self.topics.setdefault(record["topic"], {})[record["key"]] = record["value"]

    def _open(self, record: Record) -> None:
        holder = Holder(
            record["holder"],
            Asset.parse(record["asset"]),
            clock.parse(record["opened"]),
            record["facts"],
        )
        self.holders[holder.id] = holder
        self.held.setdefault(holder.id, 0)

    def _enter(self, entry: Entry) -> None:
        before = self.entries.get(entry.id)
        for holder in (entry.source, entry.target):
            self.held[holder] = (
                self.held.get(holder, 0)
                + entry.effect(holder)
                - (before.effect(holder) if before else 0)
            )
            self._forget(holder)
            if before is None and holder != OUTSIDE:
                line = (entry.moment, len(self.entries), entry.id)
                insort(self.lines.setdefault(holder, []), line)
        self.entries[entry.id] = entry
        if entry.dedupe_id and not entry.declined:
            self.applied[entry.scope, entry.dedupe_id] = entry.id

    def _forget(self, holder: str) -> None:
        self.memo.pop(holder, None)
        if known := self.holders.get(holder):
            self.memo.pop(known.facts.get("parent", ""), None)
