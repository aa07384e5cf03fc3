"""The nightly proof: every transfer of 90 days against the bank's own ledger."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils.timezone import now

import providers
from accounts.models import Account, Connection
from accounts.services import call
from automation.machine.proof import (
    SKEW,
    Booked,
    Finding,
    Line,
    Proof,
    prove,
    strangers,
)
from automation.models import RuleLeg, RuleRun, Transfer
from automation.rules import dedupe_id
from automation.rules.identity import as_uuid
from providers.base import History, ListsMovements, Movement, Provider
from providers.errors import ProviderError
from providers.wire import Call

from .findings import record
from .routes import place

log = structlog.get_logger("automation.proof")
DAYS = 90
LAG = timedelta(minutes=10)  # for which an entry may take to appear
MOVED = (Transfer.Status.DONE, Transfer.Status.REVERSED)
MOST_STRETCHES = 20  # of one account's history
STEPS = 3  # of one move: there, on, and back


@dataclass(slots=True)
class Report:
    """What the proof of one account's ledger came to."""

    account: Account
    transfers: int = 0  # recorded as made, within what the bank still shows
    since: datetime | None = None
    error: str = ""  # why nothing could be read
    proof: Proof = field(default_factory=Proof)


def to_prove() -> list[UUID]:
    """Return the connections whose accounts rules move money in."""
    ids = accounts_to_prove().values("connection")
    usable = Connection.objects.in_use().filter(pk__in=ids)
    return list(usable.order_by("pk").values_list("pk", flat=True))


def accounts_to_prove():
    """Return the outermost accounts that transfers or rules touch, or their pots."""
    touched = RuleLeg.objects.values("account").union(
        Transfer.objects.values("source"), Transfer.objects.values("target")
    )
    mine = Account.objects.filter(pk__in=touched)
    around = Q(pk__in=mine.values("pk")) | Q(pk__in=mine.values("parent"))
    return Account.objects.filter(around, parent=None, automates=True)


def prove_connection(connection: Connection, *, days: int = DAYS) -> list[Report]:
    """Compare the transfers of a connection with the bank, and record what differs.

    Nothing is corrected: a difference is a named discrepancy that a person decides.
    """
    rows = accounts_to_prove().filter(connection=connection).order_by("pk")
    return [prove_account(account, days) for account in rows]


def prove_account(account: Account, days: int) -> Report:
    report, moment = Report(account), now()
    try:
        history, since = read_back(account, days, moment)
    except ProviderError as error:
        report.error = str(error)
        log.warning("proof_failed", account=str(account.pk), error=report.error)
        return report
    report.since = since
    lines = [line_of(m) for m in history if not m.declined]
    rows = list(transfers_of(account, since, moment - LAG))
    report.transfers = sum(row.status in MOVED for row in rows)
    report.proof = prove([booked(row, account) for row in rows], lines)
    report.proof.findings += odd(account, lines, since, moment - LAG)
    keep(account, rows, report.proof, moment)
    return report


def read_back(
    account: Account, days: int, moment: datetime
) -> tuple[list[Movement], datetime]:
    """Return an account's entries as the bank tells them now, and whose are all there.

    That is transfers begun after the moment returned. Raises ProviderError where not
    all entries can be told.
    """
    since = moment - timedelta(days=within(account, days))
    found: dict[str, Movement] = {}
    cursor, truncated = "", False
    for _ in range(MOST_STRETCHES):
        history = call(account.connection, stretch(account, cursor, since, moment))
        found |= {m.external_id: m for m in history.movements}
        cursor, truncated = history.cursor, truncated or history.truncated
        if not history.more:
            break
    else:
        raise ProviderError("The history is too long to be read at once")
    if truncated:  # what the bank has closed can be judged no more
        since = min((m.created for m in found.values()), default=moment)
    return list(found.values()), since + SKEW


def within(account: Account, days: int) -> int:
    """Return `days`, or as many as the provider of `account` keeps open."""
    if account.provider not in providers.slugs():
        return days
    adapter = providers.load(account.provider)
    open_days = getattr(adapter, "open_days", None)
    return days if open_days is None else min(days, open_days)


def stretch(account: Account, cursor: str, since: datetime, moment: datetime):
    """Return the question for the next part of a history."""

    def question(adapter: Provider) -> Call[History]:
        if not isinstance(adapter, ListsMovements):
            raise ProviderError(f"{adapter.name} does not tell its entries")
        return adapter.movements(place(account), cursor, now=moment, since=since)

    return question


def transfers_of(account: Account, since: datetime, until: datetime):
    """Return the transfers of an account whose entries the bank should still show."""
    mine = Q(source=account) | Q(target=account)
    begun = Q(first_sent_at__gte=since, first_sent_at__lte=until)
    never = Q(first_sent_at=None, created__gte=since, created__lte=until)
    rows = Transfer.objects.filter(mine, begun | never)
    return rows.exclude(status__in=MOVED, settled_at__gt=until).select_related(
        "source", "target"
    )


def line_of(told: Movement) -> Line:
    return Line(
        told.external_id,
        told.amount,
        str(told.asset),
        told.pot,
        told.created,
        told.dedupe_id,
    )


def booked(row: Transfer, account: Account) -> Booked:
    """Return a transfer as the ledger of `account` should tell it."""
    leaving = row.source_id == account.pk
    begun = row.first_sent_at or row.created
    return Booked(
        id=str(row.pk),
        amount=int(-row.amount if leaving else row.amount),
        asset=row.asset,
        pot=(row.target if leaving else row.source).external_id,
        moved=row.status in MOVED,
        open=row.status in Transfer.OPEN,
        reference=row.reference,
        begun=begun,
        ended=row.settled_at or begun,
    )


def odd(
    account: Account, lines: Sequence[Line], since: datetime, until: datetime
) -> list[Finding]:
    """Return entries whose ids are made like ours, but are no transfer's."""
    told = [n for n in lines if n.dedupe_id and since <= n.created <= until]
    # Transfers are looked for among all: an old one is known too.
    wanted = {n.dedupe_id for n in told}
    rows = Transfer.objects.filter(pk__in=[pk for n in wanted if (pk := as_uuid(n))])
    known = {str(pk) for pk in rows.values_list("pk", flat=True)}
    if wanted <= known:
        return []
    return strangers(told, known, set(ids_of_runs(account, since)))


def ids_of_runs(account: Account, since: datetime) -> Iterable[str]:
    """Yield every id that the runs of the time would give their transfers."""
    runs = RuleRun.objects.filter(
        rule__workspace=account.workspace_id, created__gte=since - timedelta(days=1)
    )
    told = runs.order_by().values_list("rule_id", "key", "moves")  # in any order
    for rule, key, moves in told.iterator():
        for move in range(len(moves)):
            for step in range(STEPS):
                yield str(dedupe_id(settings.INSTALLATION_ID, rule, key, move, step))


def keep(
    account: Account, rows: Sequence[Transfer], proof: Proof, moment: datetime
) -> None:
    """Write what was proved, and what was not, in one transaction."""
    known = {str(row.pk): row for row in rows}
    agreed = [known[pk] for pk in proof.proved]
    for row in agreed:
        row.proved_at = moment
        if row.reference in ("", row.source.external_id, row.target.external_id):
            row.reference = proof.proved[str(row.pk)]  # the answer had named no entry
    with transaction.atomic():
        Transfer.objects.bulk_update(agreed, ["proved_at", "reference"], batch_size=500)
        record(account, proof.findings, judged=set(known), moment=moment)
