"""Since when the bills pots of a rule are replenished: when its owner was paid."""

from __future__ import annotations

from datetime import datetime, timedelta

from accounts.models import Account, Transaction
from automation.models import Rule, RuleRun, Trigger
from automation.rules.localtime import midnight, zone_of
from automation.rules.payday import is_salary
from automation.rules.paydays import last_paydays, last_salaries, replenished_since
from automation.schedules import trigger_spec

from .movements import movement
from .pay import pay_cycle, pay_trigger
from .retrying import last_success, parts_before

LONGEST = timedelta(days=100)  # two pay cycles that are seen among salaries


def paid_at(
    rule: Rule, heard: Account, moment: datetime, run: RuleRun | None
) -> datetime | None:
    """Return since when the bills pot is replenished; None where nobody knows.

    That is the last payday before the one of today, or before the one that made the run
    due, or the last success of the rule: see `replenished_since`.
    """
    paid = paydays(rule, heard, moment, run)
    return replenished_since(paid, last_success(rule, parts_before(run) if run else ()))


def paydays(
    rule: Rule, heard: Account, moment: datetime, run: RuleRun | None
) -> list[datetime]:
    """Return the last two paydays, the newest first, as far as they are known."""
    cycle, seen = pay_cycle(rule), salary_trigger(rule)
    if cycle is not None and seen is None:
        return last_paydays(cycle, rule.timezone, moment)
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
    due = run.salary_at if run is not None else None
    until = due or midnight(moment, zone)
    rows = Transaction.objects.filter(
        account=heard, amount__gt=0, created__gte=moment - LONGEST, created__lt=until
    )
    rows = rows.filter(asset=rule.asset, declined="", pot="").order_by("-created")
    paid = (row.created for row in rows if is_salary(spec, movement(row, set())))
    return last_salaries(paid, due, trigger.cooldown_days, zone)
