"""Since when the bills pots of a rule are replenished: when its owner was paid."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from accounts.models import Account, Transaction
from automation.models import Rule, RuleRun, Trigger
from automation.rules.localtime import midnight, zone_of
from automation.rules.payday import is_salary
from automation.rules.paydays import last_payday
from automation.schedules import trigger_spec

from .movements import movement
from .pay import pay_cycle, pay_trigger

LONGEST = timedelta(days=100)  # two pay cycles that are seen among salaries


def paid_at(
    rule: Rule, heard: Account, moment: datetime, run: RuleRun | None
) -> datetime | None:
    """Return since when the bills pot is replenished; None where nobody knows.

    That is the last payday before the one of today, or before the one that made the run
    due. Where the rule last succeeded in the pay period before, it is that moment: what
    was spent between the two is not forgotten.
    """
    paid = paydays(rule, heard, moment, run)
    if not paid:
        return None
    last, before = paid[0], paid[1] if len(paid) > 1 else None
    done = rule.last_success_at
    if done is not None and before is not None and before <= done < last:
        return done
    return last


def paydays(
    rule: Rule, heard: Account, moment: datetime, run: RuleRun | None
) -> list[datetime]:
    """Return the last two paydays, the newest first, as far as they are known."""
    cycle, seen = pay_cycle(rule), salary_trigger(rule)
    if cycle is not None and seen is None:
        newest = last_payday(cycle, rule.timezone, moment)
        older = newest and last_payday(cycle, rule.timezone, newest)
        return [found for found in (newest, older) if found]
    return salaries(rule, seen, heard, moment, run) if seen is not None else []


def salary_trigger(rule: Rule) -> Trigger | None:
    """Return the payday trigger by which its owner is paid, if no calendar says it."""
    if rule.pay_cycle is not None:
        found = pay_trigger(rule)
        return found if found and found.kind == Trigger.Kind.PAYDAY else None
    kinds = (t for t in rule.triggers.all() if t.kind == Trigger.Kind.PAYDAY)
    return next(kinds, None)


def salaries(
    rule: Rule,
    trigger: Trigger,
    heard: Account,
    moment: datetime,
    run: RuleRun | None,
) -> list[datetime]:
    """Return when the last two salaries came in, before the one that is spent now.

    Two that are less than `cooldown_days` apart are of one payday.
    """
    zone, spec = zone_of(rule.timezone), trigger_spec(trigger)
    due = run.happened_at if run is not None else None
    until = due or midnight(moment, zone)
    rows = Transaction.objects.filter(
        account=heard, amount__gt=0, created__gte=moment - LONGEST, created__lt=until
    )
    rows = rows.filter(asset=rule.asset, declined="", pot="").order_by("-created")
    found: list[datetime] = []
    last = due
    for row in rows:
        if not is_salary(spec, movement(row, set())):
            continue
        if last is None or of_other_day(row.created, last, trigger.cooldown_days, zone):
            found.append(row.created)
            last = row.created
    return found[:2]


def of_other_day(early: datetime, late: datetime, days: int, zone: ZoneInfo) -> bool:
    apart = late.astimezone(zone).date() - early.astimezone(zone).date()
    return apart >= timedelta(days=days)
