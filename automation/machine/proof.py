"""Whether the books and the bank tell the same: every transfer against its entry."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

SKEW = timedelta(minutes=10)  # by which clocks, and a bank that is slow, may differ
MISSING, DOUBLED = "transfer_missing", "transfer_doubled"
AMOUNT, DIRECTION, POT = "transfer_amount", "transfer_direction", "transfer_pot"
UNEXPECTED, UNKNOWN = "transfer_unexpected", "transfer_unknown"
FOREIGN = "transfer_foreign"  # made by another installation on the same account
NAMES = (MISSING, DOUBLED, AMOUNT, DIRECTION, POT, UNEXPECTED, UNKNOWN, FOREIGN)


@dataclass(frozen=True, slots=True)
class Booked:
    """A transfer as it is recorded; `amount` in minor units, below zero if it left."""

    id: str
    amount: int
    asset: str
    pot: str
    moved: bool  # the books say that it happened
    open: bool  # the books do not know yet
    reference: str
    begun: datetime
    ended: datetime


@dataclass(frozen=True, slots=True)
class Line:
    """An entry of the account as the provider tells it; below zero it left."""

    reference: str
    amount: int
    asset: str
    pot: str
    created: datetime
    dedupe_id: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something the books and the bank tell differently, in minor units."""

    name: str
    subject: str
    expected: int
    actual: int


@dataclass(slots=True)
class Proof:
    """What came of the comparison: entries by transfer, and what does not agree."""

    proved: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


def prove(books: Iterable[Booked], lines: Sequence[Line]) -> Proof:
    """Compare `books` with all entries of the same time that were not declined."""
    books = sorted(books, key=lambda book: (book.begun, book.id))
    proof, named = Proof(), by_id(lines)
    # Where the bank names our ids, an entry without one is somebody else's.
    tells = any(book.id in named for book in books)
    nameless = [line for line in lines if not line.dedupe_id and not tells]
    claimed: set[str] = set()
    unnamed = []
    for book in books:
        own = named.get(book.id) or referred(book, lines)
        if own:
            judge(book, own, proof)
            claimed.update(line.reference for line in own)
        elif book.moved:
            unnamed.append(book)
    for book in unnamed:
        free = [line for line in nameless if line.reference not in claimed]
        found = likeliest(book, free)
        judge(book, [found] if found else [], proof)
        claimed.update([found.reference] if found else [])
    return proof


def by_id(lines: Iterable[Line]) -> Mapping[str, list[Line]]:
    named: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        if line.dedupe_id:
            named[line.dedupe_id].append(line)
    return named


def referred(book: Booked, lines: Iterable[Line]) -> list[Line]:
    """Return the entry that the books refer to, where they know it."""
    if not book.moved:
        return []
    return [line for line in lines if line.reference == book.reference]


def likeliest(book: Booked, free: Iterable[Line]) -> Line | None:
    """Return the entry of the same time and pot; one alone may differ in its amount."""
    near = [
        line
        for line in free
        if line.pot == book.pot
        and book.begun - SKEW <= line.created <= book.ended + SKEW
    ]
    same = [line for line in near if line.amount == book.amount]
    if same:
        return min(same, key=lambda line: abs(line.created - book.begun))
    return near[0] if len(near) == 1 else None


def judge(book: Booked, own: Sequence[Line], proof: Proof) -> None:
    """Note that `own` are what became of `book`, and whether that is what it says."""
    actual = sum(line.amount for line in own)
    expected = book.amount if book.moved else 0
    if name := wrong(book, own, actual):
        proof.findings.append(Finding(name, book.id, expected, actual))
    elif book.moved:
        proof.proved[book.id] = own[0].reference


def wrong(book: Booked, own: Sequence[Line], actual: int) -> str:
    """Return the name of what does not agree; nothing if all does."""
    if book.open:
        return DOUBLED if len(own) > 1 else ""
    if not book.moved:
        return UNEXPECTED if own else ""
    if not own:
        return MISSING
    if len(own) > 1:
        return DOUBLED
    if actual == -book.amount:
        return DIRECTION
    if (actual, own[0].asset) != (book.amount, book.asset):
        return AMOUNT
    return POT if own[0].pot != book.pot else ""


def strangers(
    lines: Iterable[Line], known: Collection[str], ours: Collection[str]
) -> list[Finding]:
    """Return entries under ids like ours that no transfer has.

    `ours` are ids that this installation would give: the row is lost, or was never
    written. Any other comes from another installation; those are one finding for the
    account.
    """
    odd = [n for n in lines if looks_ours(n.dedupe_id) and n.dedupe_id not in known]
    lost = [n for n in odd if n.dedupe_id in ours]
    found = [Finding(UNKNOWN, n.dedupe_id, 0, n.amount) for n in lost]
    alien = sum(abs(n.amount) for n in odd if n.dedupe_id not in ours)
    return [*found, Finding(FOREIGN, "", 0, alien)] if alien else found


def looks_ours(dedupe_id: str) -> bool:
    """Say whether an id is made as ours are: a UUID of version 5 (RFC 9562)."""
    try:
        return UUID(dedupe_id).version == 5
    except ValueError:
        return False
