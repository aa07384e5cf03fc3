"""Stored transactions as a replay of round-ups and bills reads them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from accounts.models import Account, Transaction
from automation.models import Cover, Rule
from automation.rules.outlays import REPLENISH, ROUND_UPS, Outlay, Salaries
from automation.rules.payday import is_salary
from automation.rules.replay import Stretch
from automation.schedules import trigger_spec

from .movements import movement
from .paid import LONGEST, salary_trigger
from .spending import by_card, heard_of, left

Outlays = dict[str, Sequence[Outlay]]


def outlays_of(rule: Rule, accounts: Iterable[Account], stretch: Stretch) -> Outlays:
    """Return by account what a replay may have to make good."""
    known, found = {account.pk: account for account in accounts}, {}
    before = stretch.since - LONGEST
    done = Cover.objects.standing().filter(rule=rule)
    earlier = done.filter(transfer__created__lt=stretch.since).values("transaction")
    rows = Transaction.objects.filter(declined="", asset=rule.asset)
    rows = rows.filter(created__lte=stretch.until).exclude(pk__in=earlier)
    for leg in rule.all_legs:
        account = known.get(leg.account_id)
        heard = heard_of(leg, account) if account else None
        if heard is None or account is None:
            continue
        if leg.strategy == ROUND_UPS:
            start = min(leg.since or leg.created, stretch.since)
            paid = by_card(rows.filter(account=heard), start).order_by("settled")
            found[str(account.pk)] = [outlay(row, row.settled) for row in paid]
        elif leg.strategy == REPLENISH:
            gone = left(rows.filter(created__gte=before), account, heard)
            found[str(account.pk)] = [outlay(row, row.created) for row in gone]
    return found


def outlay(row: Transaction, at: datetime) -> Outlay:
    return Outlay(str(row.pk), at, abs(int(row.amount)))


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
    for leg in rule.all_legs:
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
