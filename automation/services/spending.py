"""What transactions tell a plan: what was paid by card, and what left a bills pot."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet

from accounts.models import Account, Transaction
from automation.models import Cover, Rule, RuleLeg, RuleRun, Transfer
from automation.rules.identity import as_uuid
from automation.rules.known import STALE_SECONDS
from automation.rules.outlays import REPLENISH, ROUND_UPS

from .paid import paid_at
from .retrying import moved_by, parts_before

Rows = QuerySet[Transaction]


@dataclass(slots=True)
class Spending:
    """Facts by account, in minor units. What is not known is left out, never zero."""

    spent: dict[str, int] = field(default_factory=dict)
    payments: dict[str, tuple[int, ...]] = field(default_factory=dict)
    covers: dict[str, tuple[int, ...]] = field(default_factory=dict)  # transactions

    def planned_with(self, run: RuleRun | None) -> dict[str, Any]:
        """Return what the planner wants to know besides balances."""
        return {
            "spent": self.spent,
            "payments": self.payments,
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
    found, known = Spending(), {account.pk: account for account in accounts}
    for leg in rule.all_legs:
        account = known.get(leg.account_id)
        if account is None:
            continue
        heard = heard_of(leg, account)
        if heard is None:
            continue
        if leg.strategy == ROUND_UPS:
            rows = payments(rule, leg)
            found.payments[str(account.pk)] = tuple(-amount for _, amount in rows)
            found.covers[str(account.pk)] = tuple(pk for pk, _ in rows)
        if leg.strategy == REPLENISH:
            since = paid_at(rule, heard, moment, run)
            if since is None or not fresh(rule, heard, moment, preview=preview):
                continue
            rows = outgoings(rule, account, heard, since)
            found.spent[str(account.pk)] = sum(abs(amount) for _, amount in rows)
            found.covers[str(account.pk)] = tuple(pk for pk, _ in rows)
    return found


def heard_of(leg: RuleLeg, account: Account) -> Account | None:
    """Return the account whose transactions tell of a leg; None where none were read."""
    if account.movements_read_at is not None:
        return account
    around = account.parent if leg.strategy == REPLENISH else None
    return around if around is not None and around.movements_read_at else None


# Round-ups


def payments(rule: Rule, leg: RuleLeg) -> list[tuple[int, int]]:
    """Return (id, amount) of the settled card payments that were not rounded up yet.

    A payment is not late because it settles late: each counts once it has settled, and
    until a transfer of this rule has made it good.
    """
    rows = open_rows(rule).filter(account=leg.account_id, asset=rule.asset)
    paid = by_card(rows, leg.since or leg.created)
    return list(paid.values_list("pk", "amount"))


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


def open_rows(rule: Rule) -> Rows:
    """Return the transactions that moved money and that `rule` has not made good."""
    covered = Cover.objects.standing().filter(rule=rule).values("transaction")
    return Transaction.objects.filter(declined="").exclude(pk__in=covered)


# Bills


def outgoings(
    rule: Rule, account: Account, heard: Account, since: datetime
) -> list[tuple[int, int]]:
    """Return (id, amount) of what left a bills pot after `since` and is not made good."""
    rows = open_rows(rule).filter(created__gte=since, asset=rule.asset)
    return [(row.pk, row.amount) for row in left(rows, account, heard)]


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
    """Note what the transfers of one plan make good; the last step of a move counts."""
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
