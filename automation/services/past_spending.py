"""Stored transactions as a replay of round-ups and bills reads them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.db.models import Q, QuerySet

from accounts.models import Account, Transaction
from automation.models import Cover, Rule, RuleLeg
from automation.rules.outlays import REPLENISH, ROUND_UPS, Outlay, Salaries
from automation.rules.payday import is_salary
from automation.rules.replay import Stretch
from automation.schedules import trigger_spec

from .movements import movement
from .paid import LONGEST, salary_trigger
from .spending import brought_back

Outlays = dict[str, Sequence[Outlay]]


def heard_of(leg: RuleLeg, account: Account) -> Account | None:
    """Return the account whose transactions tell of a leg; None where none were read."""
    if account.movements_read_at is not None:
        return account
    around = account.parent if leg.strategy == REPLENISH else None
    return around if around is not None and around.movements_read_at else None


def outlays_of(rule: Rule, accounts: Iterable[Account], stretch: Stretch) -> Outlays:
    """Return by account what a replay may have to make good."""
    known, found = {account.pk: account for account in accounts}, {}
    before = stretch.since - LONGEST
    done = Cover.objects.standing().filter(rule=rule)
    earlier = done.filter(transfer__created__lt=stretch.since).values("transaction")
    rows = Transaction.objects.filter(declined="", asset=rule.asset)
    rows = rows.filter(created__lte=stretch.until).exclude(pk__in=earlier)
    for leg in rule.legs.all():
        account = known.get(leg.account_id)
        heard = heard_of(leg, account) if account else None
        if heard is None or account is None:
            continue
        if leg.strategy == ROUND_UPS:
            start = min(leg.since or leg.created, stretch.since)
            found[str(account.pk)] = by_card(rows.filter(account=heard), start)
        elif leg.strategy == REPLENISH:
            mine = rows.filter(account=heard, created__gte=before)
            found[str(account.pk)] = left(mine, account, heard)
    return found


def by_card(rows: QuerySet[Transaction], start: datetime) -> list[Outlay]:
    """Return the settled card payments since `start`; each counts once it has settled."""
    paid = rows.filter(amount__lt=0, settled__isnull=False, pot="")
    paid = paid.filter(Q(created__gte=start) | Q(settled__gte=start))
    paid = paid.exclude(~Q(counterparty=""), merchant="").order_by("settled")
    return [Outlay(str(row.pk), row.settled, -int(row.amount)) for row in paid]


def left(rows: QuerySet[Transaction], account: Account, heard: Account) -> list[Outlay]:
    """Return what left a bills pot; without transactions of its own, as heard around it."""
    if heard.pk == account.pk:
        gone = rows.filter(amount__lt=0)
        gone = gone if account.parent_id else gone.filter(pot="")
    else:
        gone = rows.filter(pot=account.external_id, amount__gt=0)
    found = list(gone.order_by("created"))
    back = brought_back(row.dedupe_id for row in found)
    return [
        Outlay(str(row.pk), row.created, abs(int(row.amount)))
        for row in found
        if row.dedupe_id not in back
    ]


def salaries_of(
    rule: Rule, accounts: Iterable[Account], stretch: Stretch
) -> dict[str, Salaries]:
    """Return by bills pot when its owner was paid, where a payday trigger says so."""
    trigger = salary_trigger(rule)
    if trigger is None:
        return {}
    trigger.rule = rule
    spec, found = trigger_spec(trigger), {}
    known = {account.pk: account for account in accounts}
    for leg in rule.legs.all():
        account = known.get(leg.account_id)
        heard = heard_of(leg, account) if account else None
        if leg.strategy != REPLENISH or heard is None:
            continue
        rows = Transaction.objects.filter(
            account=heard,
            asset=rule.asset,
            amount__gt=0,
            declined="",
            pot="",
            created__gte=stretch.since - LONGEST - timedelta(days=1),
            created__lte=stretch.until,
        ).order_by("created")
        paid = [row.created for row in rows if is_salary(spec, movement(row, set()))]
        found[str(leg.account_id)] = Salaries(paid, trigger.cooldown_days)
    return found
