"""What transactions tell a plan: what was paid by card, and what left a bills pot."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q

from accounts.models import Account, Transaction
from automation.models import Cover, Rule, RuleLeg, RuleRun, Transfer
from automation.rules.identity import as_uuid
from automation.rules.known import STALE_SECONDS
from automation.rules.outlays import REPLENISH, left_open

from .paid import paid_at
from .promises import Rows, Told, moves_for, open_rows, promises, told_of
from .retrying import moved_by, parts_before


@dataclass(slots=True)
class Spending:
    """Facts by account, in minor units. What is not known is left out, never zero."""

    spent: dict[str, int] = field(default_factory=dict)
    payments: dict[str, tuple[int, ...]] = field(default_factory=dict)
    owed: dict[str, int] = field(default_factory=dict)  # of earlier payments
    covers: dict[str, tuple[int, ...]] = field(default_factory=dict)  # transactions

    def planned_with(self, run: RuleRun | None) -> dict[str, Any]:
        """Return what the planner wants to know besides balances."""
        return {
            "spent": self.spent,
            "payments": self.payments,
            "owed": self.owed,
            "amount": run.amount if run is not None else None,
            "before": moved_by(parts_before(run)) if run is not None else (),
        }


def gather(
    rule: Rule,
    accounts: Sequence[Account],
    moment: datetime,
    *,
    run: RuleRun | None = None,
    preview: bool = False,
) -> Spending:
    """Return what the legs of `rule` that look at transactions want to know."""
    found = Spending()
    for told in told_of(rule, accounts):
        rows = open_rows(told)
        if told.leg.strategy == REPLENISH:
            since = paid_at(rule, told.heard, moment, run)
            if since is None or not fresh(rule, told.heard, moment, preview=preview):
                continue
            rows = rows.filter(created__gte=since)
        seen = counted(told, rows)
        amounts = tuple(abs(row.amount) for row in seen)
        owed = left_open(promises(told, counted, moment), moment)
        if told.leg.strategy == REPLENISH:
            found.spent[told.name] = sum(amounts) + owed
        else:
            found.payments[told.name], found.owed[told.name] = amounts, owed
        found.covers[told.name] = tuple(row.pk for row in seen)
    return found


def counted(told: Told, rows: Rows) -> Sequence[Transaction]:
    """Return of `rows` those that a leg makes good.

    A payment is not late because it settles late: each counts once it has settled.
    """
    if told.leg.strategy == REPLENISH:
        return left(rows, told.account, told.heard)
    paid = by_card(rows.filter(account=told.account), began(told.leg))
    return list(paid.only("amount"))


# Round-ups


def began(leg: RuleLeg) -> datetime:
    """Return since when payments are rounded up."""
    return leg.since or leg.created


def by_card(rows: Rows, since: datetime) -> Rows:
    """Return of `rows` the card payments that were made, or have settled, since then.

    One to a named person or firm, and no merchant, is a bank transfer; one to or from a
    pot is no payment.
    """
    paid = rows.filter(
        Q(created__gte=since) | Q(settled__gte=since),
        amount__lt=0,
        settled__isnull=False,
        pot="",
    )
    return paid.exclude(~Q(counterparty=""), merchant="")


# Bills


def left(rows: Rows, account: Account, heard: Account) -> list[Transaction]:
    """Return of `rows` what left a bills pot, the oldest first.

    Where a pot has no transactions of its own, what left it came to the account around
    it. Money that a transfer of ours took out and brought back did not leave.
    """
    rows = rows.filter(account=heard).order_by("created")
    if heard.pk == account.pk:
        gone = rows.filter(amount__lt=0)
        gone = gone if account.parent_id else gone.filter(pot="")
    else:
        gone = rows.filter(pot=account.external_id, amount__gt=0)
    found = list(gone.only("amount", "created", "dedupe_id"))
    back = brought_back(row.dedupe_id for row in found)
    return [row for row in found if row.dedupe_id not in back]


def brought_back(names: Iterable[str]) -> set[str]:
    """Return which dedupe ids are of transfers whose money was brought back."""
    ids = {found for name in names if (found := as_uuid(name))}
    rows = Transfer.objects.filter(pk__in=ids, status=Transfer.Status.REVERSED)
    return {str(pk) for pk in rows.values_list("pk", flat=True)} if ids else set()


def fresh(rule: Rule, heard: Account, moment: datetime, *, preview: bool) -> bool:
    """Say whether the transactions were read lately enough to know what was spent."""
    if heard.movements_read_at is None:
        return False
    limit = STALE_SECONDS if preview else rule.max_staleness_seconds
    return moment - heard.movements_read_at <= timedelta(seconds=limit)


def cover(
    rule: Rule, covers: dict[str, Sequence[int]], rows: Sequence[Transfer]
) -> None:
    """Note what transfers of one plan are to make good; the last step of a move counts."""
    followed = {row.depends_on_id for row in rows}
    fresh_ones = [
        Cover(rule=rule, transaction_id=pk, transfer=row)
        for row in rows
        if row.pk not in followed
        for end in ((row.depends_on or row).source_id, row.target_id)
        for pk in covers.get(str(end), ())
    ]
    Cover.objects.bulk_create(
        fresh_ones,
        update_conflicts=True,
        unique_fields=["rule", "transaction"],
        update_fields=["transfer"],
    )


def cover_again(run: RuleRun) -> None:
    """Let what goes on make good what later transfers, which came to nothing, were to.

    They were planned while it was void, for the same transactions and perhaps more.
    """
    accounts = [leg.account for leg in run.rule.all_legs if leg.account_id]
    for told in told_of(run.rule, accounts):
        ends = moves_for(told)
        for row in ends.unsettled().filter(run=run):
            later = ends.filter(status__in=Transfer.VOID, created__gt=row.created)
            Cover.objects.filter(rule=run.rule, transfer__in=later).update(transfer=row)
