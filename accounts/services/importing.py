"""History from a file: all of it or nothing, and never what is held now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from django.db import connection, transaction
from django.utils.timezone import now

from accounts.history.files import Line, Mistake
from accounts.models import Account, BalanceSnapshot, Source

from .auditing import audit

AT_ONCE = 1_000
MOST_MISTAKES = 100  # after so many nobody reads on
ALONE = "SELECT pg_try_advisory_xact_lock(hashtextextended('import ' || %s, 0))"

Numbered = tuple[int, Line | Mistake]


class BadHistory(ValueError):
    """The file was not imported: some of its lines cannot be."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = mistakes
        more = " (and maybe more)" if len(mistakes) >= MOST_MISTAKES else ""
        super().__init__("; ".join(map(str, mistakes)) + more)


class ImportRunning(Exception):
    """Another file is being imported into this account."""

    def __init__(self) -> None:
        super().__init__(self.__doc__)


@dataclass(frozen=True, slots=True)
class Imported:
    """How many lines were new, and how many were known already."""

    written: int
    known: int


@transaction.atomic
def import_snapshots(account: Account, file: Iterable[Numbered]) -> Imported:
    """Add the snapshots of `file` to the history of `account`, each with source import.

    What is known already stays as it is; a line that contradicts it is a mistake. The
    balance is not touched: what a file says is past. Raises BadHistory with every bad
    line, and then nothing is written; ImportRunning.
    """
    with connection.cursor() as cursor:
        cursor.execute(ALONE, [str(account.pk)])
        if cursor.fetchone() != (True,):
            raise ImportRunning
    account.refresh_from_db(fields=["days_only_until"])
    rest, moment = iter(file), now()
    written = known = 0
    mistakes: list[Mistake] = []
    while len(mistakes) < MOST_MISTAKES and (batch := list(islice(rest, AT_ONCE))):
        good = {n: found for n, found in batch if isinstance(found, Line)}
        made, wrong = add(account, good, moment)
        written, known = written + made, known + len(good) - made
        mistakes += wrong + [bad for _, bad in batch if isinstance(bad, Mistake)]
    if mistakes:
        mistakes.sort(key=lambda mistake: mistake.line)
        raise BadHistory(mistakes[:MOST_MISTAKES])
    if written:
        audit("history.imported", account, new={"lines": written, "known": known})
    return Imported(written, known)


def add(
    account: Account, batch: dict[int, Line], moment: datetime
) -> tuple[int, list[Mistake]]:
    """Write what is new of a batch; return how much, and what contradicts the history."""
    moments = [line.as_of for line in batch.values()]
    before = stored(account, moments)
    BalanceSnapshot.objects.bulk_create(
        [
            BalanceSnapshot(
                account=account,
                source=Source.IMPORT,
                origin=line.source,
                **dict(zip(Line._fields[:4], line[:4], strict=True)),
            )
            for line in batch.values()
            if line.as_of not in before
            and line.as_of <= moment
            and not is_given_up(account, line)
        ],
        ignore_conflicts=True,  # a sync may have been faster, or the file repeats
    )
    after = stored(account, moments)
    wrong = {
        n: objection(line, after.get(line.as_of), is_given_up(account, line))
        for n, line in batch.items()
    }
    return len(after) - len(before), [
        Mistake(number, text) for number, text in wrong.items() if text
    ]


def stored(
    account: Account, moments: Iterable[datetime]
) -> dict[datetime, tuple[int, ...]]:
    """Return the amounts that are known of these moments."""
    rows = account.snapshots.filter(as_of__in=moments).order_by()
    return {row[0]: row[1:] for row in rows.values_list(*Line._fields[:4])}


def is_given_up(account: Account, line: Line) -> bool:
    """Say whether only the figures of that day are kept."""
    until = account.days_only_until
    return until is not None and line.as_of < until


def objection(line: Line, known: tuple[int, ...] | None, given_up: bool) -> str:
    """Return what speaks against a line; nothing where it stands in the history."""
    if known is None and given_up:
        return "Of this day only the figures are kept"
    if known is None:
        return "This moment is still to come"
    if known != line[1:4]:
        return "Something else is known of this moment, or the file says it twice"
    return ""
