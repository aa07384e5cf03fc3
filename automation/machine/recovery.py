"""Which of a provider's entries an attempt became, whose answer never came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from .events import Ambiguous, Event, Evidence, Found, NotFound


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a provider's ledger about the two accounts of a transfer.

    `amount` is in minor units, from source to target; below zero it went the other way.
    """

    reference: str
    amount: int
    asset: str
    created: datetime
    dedupe_id: str = ""
    declined: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """The transfer that is looked for, and what is known of others like it."""

    dedupe_id: str
    amount: int
    asset: str
    since: datetime  # no attempt was made before
    named: bool  # this provider has named dedupe ids in this account before
    claimed: frozenset[str] = frozenset()  # references of other transfers
    rivals: int = 0  # transfers alike whose entries nobody can point at


def recognise(entries: Sequence[Entry], wanted: Wanted) -> Event:
    """Return what `entries` prove about `wanted`.

    By its id, where the provider names ids. Else by amount, accounts and time, but only
    if exactly one entry fits and no other transfer can have made it.
    """
    made = [entry for entry in entries if not entry.declined]
    own = [entry for entry in made if entry.dedupe_id == wanted.dedupe_id]
    if len(own) > 1:
        names = ", ".join(entry.reference for entry in own)
        return Ambiguous("moved_twice", f"The provider made it more than once: {names}")
    if own:
        return Found(evidence(own[0]))
    if wanted.named or any(entry.dedupe_id for entry in entries):
        return NotFound()
    alike = [entry for entry in made if fits(entry, wanted)]
    if not alike:
        return NotFound()
    if len(alike) == 1 and not wanted.rivals:
        return Found(evidence(alike[0]), sure=False)
    why = (
        f"{len(alike)} entries look like it, and so do {wanted.rivals} other transfers"
    )
    return Ambiguous("ambiguous", why)


def fits(entry: Entry, wanted: Wanted) -> bool:
    """Say whether an entry without an id may be the transfer."""
    same = (entry.amount, entry.asset) == (wanted.amount, wanted.asset)
    free = entry.reference not in wanted.claimed
    return same and free and entry.created >= wanted.since


def evidence(entry: Entry) -> Evidence:
    return Evidence(entry.reference, entry.amount, entry.asset)
