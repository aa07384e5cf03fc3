"""What the transfers of a leg were to make good, and how much of that they moved."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet, Subquery

from accounts.models import Account, Transaction
from automation.models import Cover, Rule, RuleLeg, Transfer
from automation.rules.outlays import (
    OF_TRANSACTIONS,
    REMEMBERED,
    REPLENISH,
    ROUND_UPS,
    Promise,
    wanted_for,
)

from .terms import leg_spec

Rows = QuerySet[Transaction]
Counted = Callable[["Told", Rows], Sequence[Transaction]]


@dataclass(frozen=True, slots=True)
class Told:
    """A leg of which transactions tell, and the account that they were read from."""

    rule: Rule
    leg: RuleLeg
    account: Account
    heard: Account

    @property
    def name(self) -> str:
        return str(self.account.pk)


def told_of(rule: Rule, accounts: Sequence[Account]) -> Iterator[Told]:
    """Yield the legs that look at transactions, where these were ever read."""
    known = {account.pk: account for account in accounts}
    for leg in rule.all_legs:
        account = known.get(leg.account_id)
        if account is None or leg.strategy not in OF_TRANSACTIONS:
            continue
        heard = heard_of(leg, account)
        if heard is not None:
            yield Told(rule, leg, account, heard)


def heard_of(leg: RuleLeg, account: Account) -> Account | None:
    """Return the account whose transactions tell of a leg; None where none were read."""
    if account.movements_read_at is not None:
        return account
    around = account.parent if leg.strategy == REPLENISH else None
    return around if around is not None and around.movements_read_at else None


def moves_for(told: Told, before: datetime | None = None) -> QuerySet[Transfer]:
    """Return what ends the moves that a leg gave or got, until `before`."""
    ends = Transfer.objects.filter(run__rule=told.rule, step__lt=2)
    ends = ends.exclude(dependents__step=1)
    if before is not None:
        ends = ends.filter(created__lt=before)
    if told.leg.strategy == REPLENISH:
        return ends.filter(target=told.account)
    begun = Q(depends_on=None, source=told.account)
    return ends.filter(begun | Q(depends_on__source=told.account))


def open_rows(told: Told, before: datetime | None = None) -> Rows:
    """Return the transactions that no transfer of the rule was to make good by then.

    They are open again where it came to nothing, unless a later one has moved money,
    perhaps for the same: then they are promised still.
    """
    newest = moves_for(told, before).standing().order_by("-created")
    later = Q(transfer__created__lt=Subquery(newest.values("created")[:1]))
    covers = Cover.objects.filter(rule=told.rule)
    if before is not None:
        covers = covers.filter(transfer__created__lt=before)
    kept = covers.filter(later | ~Q(transfer__status__in=Transfer.VOID))
    rows = Transaction.objects.filter(asset=told.rule.asset, declined="")
    return rows.exclude(pk__in=kept.values("transaction"))


def promises(
    told: Told, counted: Counted, moment: datetime, before: datetime | None = None
) -> list[Promise]:
    """Return what the transfers that are still remembered were to make good, in order.

    What payments lacked to another unit nobody knows any more: where a leg rounds up,
    its transfers count since it reads as it does.
    """
    since = moment - REMEMBERED
    if told.leg.strategy == ROUND_UPS:
        since = max(since, told.leg.created)
    made = list(moves_for(told, before).filter(created__gte=since).order_by("created"))
    newest = max((row.created for row in made if row.stands), default=None)
    kept = [r for r in made if r.stands or (newest and r.created < newest)]
    amounts, leg = amounts_of(told, kept, counted), leg_spec(told.leg)
    return [
        Promise(
            row.created,
            wanted_for(leg, amounts[row.pk]),
            int(row.amount) if row.stands else 0,
        )
        for row in kept
    ]


def amounts_of(
    told: Told, made: Sequence[Transfer], counted: Counted
) -> dict[UUID, list[int]]:
    """Return by transfer the transactions that it was to make good, as they are now."""
    covers = Cover.objects.filter(rule=told.rule, transfer__in=made)
    by_row = dict(covers.values_list("transaction", "transfer"))
    found: dict[UUID, list[int]] = defaultdict(list)
    if by_row:
        rows = Transaction.objects.filter(asset=told.rule.asset, declined="")
        for row in counted(told, rows.filter(pk__in=by_row)):
            found[by_row[row.pk]].append(abs(row.amount))
    return found
