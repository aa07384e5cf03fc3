"""Stored transactions as a replay of round-ups and bills reads them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from accounts.models import Account, Transaction
from automation.models import Rule
from automation.rules.outlays import REPLENISH, Outlay, Promise, Salaries
from automation.rules.payday import is_salary
from automation.rules.replay import Stretch
from automation.schedules import trigger_spec

from .movements import movement
from .paid import LONGEST, salary_trigger
from .promises import open_rows, promises, told_of
from .spending import began, by_card, counted, left

Outlays = dict[str, Sequence[Outlay]]


def outlays_of(rule: Rule, accounts: Sequence[Account], stretch: Stretch) -> Outlays:
    """Return by account what a replay may have to make good."""
    found: Outlays = {}
    for told in told_of(rule, accounts):
        rows = open_rows(told, stretch.since).filter(created__lte=stretch.until)
        if told.leg.strategy == REPLENISH:
            rows = rows.filter(created__gte=stretch.since - LONGEST)
            gone = left(rows, told.account, told.heard)
            found[told.name] = [outlay(row, row.created) for row in gone]
        else:
            start = min(began(told.leg), stretch.since)
            paid = by_card(rows.filter(account=told.heard), start).order_by("settled")
            found[told.name] = [outlay(row, row.settled) for row in paid]
    return found


def promised(
    rule: Rule, accounts: Sequence[Account], stretch: Stretch
) -> dict[str, list[Promise]]:
    """Return by account what transfers before the stretch were to make good."""
    since = stretch.since
    return {
        told.name: promises(told, counted, since, before=since)
        for told in told_of(rule, accounts)
    }


def outlay(row: Transaction, at: datetime) -> Outlay:
    return Outlay(str(row.pk), at, abs(int(row.amount)))


def salaries_of(
    rule: Rule, accounts: Sequence[Account], stretch: Stretch
) -> dict[str, Salaries]:
    """Return by bills pot when its owner was paid, where a payday trigger says so."""
    trigger = salary_trigger(rule)
    if trigger is None:
        return {}
    trigger.rule = rule
    spec, found = trigger_spec(trigger), {}
    for told in told_of(rule, accounts):
        if told.leg.strategy != REPLENISH:
            continue
        rows = Transaction.objects.filter(
            account=told.heard,
            asset=rule.asset,
            amount__gt=0,
            declined="",
            pot="",
            created__gte=stretch.since - LONGEST - timedelta(days=1),
            created__lte=stretch.until,
        ).order_by("created")
        paid = [row.created for row in rows if is_salary(spec, movement(row, set()))]
        found[told.name] = Salaries(paid, trigger.cooldown_days)
    return found
