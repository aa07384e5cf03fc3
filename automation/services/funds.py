"""Whether a source can pay now, on a reading young enough for what it is asked."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import CharField, Exists, QuerySet, UUIDField, Value
from django.db.models.functions import Cast
from django.utils.timezone import now

from accounts.models import Balance, SyncRun, Transaction
from accounts.services import sync
from automation import machine
from automation.machine import events
from automation.models import Rule, RuleLeg, RuleRun, Transfer
from automation.rules import arithmetic
from automation.rules.draft import LIVE_SECONDS, STALE_SECONDS
from providers.money import pretty

from .asking import found_among_synced
from .compiled import Compiled
from .terms import UNKNOWN_AGE, age, largest_drops, log_readings


def check(run: RuleRun, row: Transfer) -> machine.Event:
    """Return whether `row` may be sent; reads the balances again before it says no.

    What a bank has told of under its name though it was never sent from here was sent by
    somebody whose rows are lost: it is not sent once more.
    """
    balances = readings(row)
    young = oldest(row, balances) <= LIVE_SECONDS
    event = told(run, row, balances) if young else None
    if not isinstance(event, events.Affordable):
        # They are old, or from just before the money came in.
        sync([row.source.connection], SyncRun.Kind.PRE_AUTOMATION)
        event = told(run, row, balances := readings(row))
    affordable = isinstance(event, events.Affordable)
    if affordable and row.first_sent_at is None and balances[row.source_id].made:
        return found_among_synced(row) or event
    return event


def told(run: RuleRun, row: Transfer, balances: dict[UUID, Balance]) -> machine.Event:
    """Judge, and log the reading that it rests on."""
    event = judge(run, row, balances)
    log_readings(run.rule, [row.source], now())
    return event


def judge(run: RuleRun, row: Transfer, balances: dict[UUID, Balance]) -> machine.Event:
    """Return what these balances say, and note what the pot holds."""
    remember(row, balances)
    seconds, limit = oldest(row, balances), allowed(run.rule, row)
    row.good_until = good_until(row, balances, limit)
    if seconds > limit:
        why = f"The newest reading of {row.source} is {seconds} s old"
        return events.Unreadable("stale_balance", why)
    careful = seconds > LIVE_SECONDS and row.source.parent_id is None
    drops = largest_drops([row.source_id], now()) if careful else {}
    return afford(run, row, balances, drop=drops.get(row.source_id, 0))


def readings(row: Transfer) -> dict[UUID, Balance]:
    """Return both balances, and what leaves each, as they were at one moment."""
    rows = HELD(row.pk, row.source_id, row.target_id)
    found = {balance.pk: balance for balance in rows}
    for account in (row.source, row.target):
        if account.pk in found:
            account.balance = found[account.pk]
    return found


def held(transfer: UUID, source: UUID, target: UUID) -> QuerySet[Balance]:
    others = Transfer.objects.exclude(pk=transfer)
    begun = others.exclude(status=Transfer.Status.PENDING)
    named = Transaction.objects.exclude(dedupe_id="").filter(
        dedupe_id=Cast(Value(transfer, UUIDField()), CharField()), declined=""
    )
    rows = Balance.objects.annotate(
        leaving=begun.sum_leaving("pk", "as_of"), made=Exists(named)
    )
    return rows.filter(pk__in=[source, target])


HELD = Compiled(held)


def oldest(row: Transfer, balances: dict[UUID, Balance]) -> int:
    """Return the age in seconds of the source's reading; unknown is beyond any limit.

    So is one that a later reading, now in quarantine, contradicts.
    """
    balance = balances.get(row.source_id)
    known = balance is not None and not balance.distrusted
    return age(balance, now()) if known else UNKNOWN_AGE


def good_until(
    row: Transfer, balances: dict[UUID, Balance], limit: int
) -> datetime | None:
    """Return until when the source's reading is young enough to send on."""
    balance = balances.get(row.source_id)
    return balance.fetched_at + timedelta(seconds=limit) if balance else None


def allowed(rule: Rule, row: Transfer) -> int:
    """Return how old the reading may be: table 3a of the money-safety rules."""
    careful = row.source.parent_id is None and not is_floored(rule, row)
    if row.may_have_moved or careful:
        return LIVE_SECONDS
    return min(rule.max_staleness_seconds, STALE_SECONDS)


def is_floored(rule: Rule, row: Transfer) -> bool:
    """Tell whether the source may be spent on an older reading, down to its floor."""
    leg = spending(rule, row) if rule.on_stale == Rule.OnStale.USE_FLOOR else None
    return leg is not None and leg.floor is not None


def afford(
    run: RuleRun, row: Transfer, balances: dict[UUID, Balance], *, drop: int
) -> machine.Event:
    """Compare what is there, less what is reserved, with the amount.

    `drop` is by how much the source may have fallen since its reading.
    """
    balance = balances[row.source_id]
    spare = balance.available - int(balance.leaving) - reserve(run, row, drop=drop)
    if row.amount <= spare:
        return events.Affordable()
    unit = row.source.unit
    why = (
        f"{row.source} can spare {pretty(spare, unit)}, not {pretty(row.amount, unit)}"
    )
    return events.Unaffordable("insufficient_funds", why)


def reserve(run: RuleRun, row: Transfer, *, drop: int) -> int:
    """Return what the rule wants to stay at the source, as when it was planned."""
    leg = spending(run.rule, row)
    if leg is None:
        return drop
    return arithmetic.reserve(
        planned_on(run, leg) if leg.keep_share else 0,
        keep=leg.keep,
        keep_share=leg.keep_share,
        floor=leg.floor,
        drop=drop,
    )


def spending(rule: Rule, row: Transfer) -> RuleLeg | None:
    """Return the leg by which `rule` spends what its source holds, if there is one."""
    legs = (leg for leg in rule.all_legs if leg.role == "source")
    return next((leg for leg in legs if leg.account_id == row.source_id), None)


def planned_on(run: RuleRun, leg: RuleLeg) -> int:
    """Return the available money of the leg's account that the plan rests on."""
    for reading in run.readings:
        if reading["account"] == str(leg.account_id) and reading["available"]:
            return int(reading["available"]["minor"])
    return 0


def remember(row: Transfer, balances: dict[UUID, Balance]) -> None:
    """Keep what the pot held before the first attempt: the answer is held against it."""
    if row.may_have_moved:
        return
    pot = row.target if row.target.parent_id else row.source
    balance = balances.get(pot.pk)
    young = balance is not None and age(balance, now()) <= LIVE_SECONDS
    row.held_before = balance.total if balance is not None and young else None
