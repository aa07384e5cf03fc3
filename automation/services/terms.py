"""Rows in, the planner's words out: what a rule says and what its accounts hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import F, Q, Sum, Window
from django.db.models.functions import Lag

from accounts.logs import balance_line
from accounts.models import Account, BalanceSnapshot
from automation.models import Rule, RuleLeg, Transfer
from automation.rules import Holding, Leg, Limits, RuleSpec
from automation.rules.known import STALE_SECONDS
from automation.rules.localtime import day_of, zone_of
from automation.rules.terms import POT

from .attributes import attributes
from .condition_document import stored_conditions
from .pay import pay_cycle

DROPS = timedelta(days=30)
AHEAD = timedelta(minutes=1)  # by which clocks may differ
UNKNOWN_AGE = 10 * STALE_SECONDS
OF_LEG = (
    *("role", "order", "strategy", "amount", "share", "keep", "keep_share", "floor"),
    *("target", "cap", "max_share", "min_move", "low", "high"),
    *("due", "unit", "multiplier", "accounts"),
)
LIMITS = ("min_move", "per_move", "per_run", "per_day", "per_rule")


def rule_spec(rule: Rule, *, now: datetime | None = None) -> RuleSpec:
    """Return `rule` as the planner reads it. With `now`, limits count what was moved."""
    return RuleSpec(
        id=str(rule.pk),
        name=rule.name,
        kind=rule.kind,
        asset=rule.asset,
        legs=tuple(leg_spec(leg) for leg in rule.all_legs),
        limits=limits(rule, now),
        timezone=rule.timezone,
        enabled=rule.enabled and rule.archived_at is None,
        rest=rule.rest,
        on_stale=rule.on_stale,
        max_staleness_seconds=rule.max_staleness_seconds,
        on_short=rule.on_short or None,
        round_to=rule.round_to,
        conditions=stored_conditions(rule),
        pay_cycle=pay_cycle(rule),
    )


def leg_spec(leg: RuleLeg) -> Leg:
    return Leg(account=str(leg.account_id or ""), **attributes(leg, OF_LEG))


def limits(rule: Rule, now: datetime | None) -> Limits:
    bounds = attributes(rule, LIMITS)
    if now is None or (rule.per_day is None and rule.per_rule is None):
        return Limits(**bounds)
    today, ever = moved(rule, now)
    return Limits(**bounds, spent_today=today, spent_ever=ever)


def moved(rule: Rule, now: datetime) -> tuple[int, int]:
    """Return what `rule` moved on the day of `now` in its own zone, and ever.

    The unclear counts. Where nothing bounds what it ever moves, that is only what it
    moved on that day.
    """
    begins, ends = day_of(now, zone_of(rule.timezone))
    today = Q(created__gte=begins, created__lt=ends)  # a simulation may be of the past
    rows = Transfer.objects.moved_by(rule)
    if rule.per_rule is None:
        rows = rows.filter(today)  # what it ever moved limits nothing
    sums = rows.aggregate(today=Sum("amount", filter=today), ever=Sum("amount"))
    return int(sums["today"] or 0), int(sums["ever"] or 0)


def holdings(
    accounts: Iterable[Account],
    *,
    now: datetime,
    reserved: Mapping[UUID, int] | None = None,
    coming: Mapping[UUID, int] | None = None,
    drops: Mapping[UUID, int] | None = None,
) -> dict[str, Holding]:
    """Return what each account holds for planning, less what is reserved."""
    return {
        str(account.pk): holding(
            account,
            now,
            reserved=(reserved or {}).get(account.pk, 0),
            coming=(coming or {}).get(account.pk, 0),
            drop=(drops or {}).get(account.pk, 0),
        )
        for account in accounts
    }


def holding(
    account: Account,
    now: datetime,
    *,
    reserved: int = 0,
    coming: int = 0,
    drop: int = 0,
) -> Holding:
    balance = getattr(account, "balance", None)
    if balance is not None and balance.distrusted:
        balance = None  # a later reading is in quarantine: nobody knows
    usable = account.automates and account.active
    return Holding(
        account=str(account.pk),
        name=str(account),
        asset=account.asset,
        available=balance.available - reserved if balance else None,
        age_seconds=age(balance, now) if balance else None,
        as_of=balance.as_of if balance else None,
        source=balance.source if balance else "unknown",
        kind=POT if account.parent_id else account.kind,
        inside=str(account.parent_id) if account.parent_id else None,
        goal=account.goal,
        closed=account.closed_at is not None,
        protected=account.protected_at is not None,
        can_send=account.can_send and usable,
        can_receive=account.can_receive and usable,
        largest_drop=drop,
        total=balance.total if balance else None,
        coming=coming,
    )


def age(balance, now: datetime) -> int:
    """Return how many seconds ago `balance` was confirmed, rounded up.

    One that was confirmed in the future is of before the clock was put back, and nobody
    knows how long ago: it is older than any rule may act on.
    """
    passed = now - balance.fetched_at
    if passed < -AHEAD:
        return UNKNOWN_AGE
    return max(0, -int(-passed.total_seconds() // 1))


def largest_drops(accounts: Iterable[Account], now: datetime) -> dict[UUID, int]:
    """Return by how much each balance fell at most between two readings in 30 days."""
    before = Window(Lag("available"), partition_by="account_id", order_by="as_of")
    falls = (
        BalanceSnapshot.objects.heard()
        .filter(account__in=accounts, as_of__gte=now - DROPS)
        .annotate(before=before)
        .order_by()
        .values_list("account_id", F("before") - F("available"))
    )
    drops: dict[UUID, int] = {}
    for account, fall in falls:
        drops[account] = max(drops.get(account, 0), int(fall or 0))
    return drops


def log_readings(rule: Rule, accounts: Iterable[Account], now: datetime) -> None:
    """Log every balance that a decision rests on."""
    for account in accounts:
        balance = getattr(account, "balance", None)
        balance_line(
            rule.kind.upper(),
            account.external_id,
            balance.available if balance else None,
            account.asset,
            source=balance.source if balance else "unknown",
            age=age(balance, now) if balance else 0,
        )
