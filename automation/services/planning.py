"""From a rule and what its accounts hold to committed transfers, or to a reason."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import stamina
from django.conf import settings
from django.db import DatabaseError, IntegrityError, OperationalError, transaction
from django.db.models import Prefetch, prefetch_related_objects
from django.utils.timezone import now

from accounts.models import Account, Connection, SyncRun
from accounts.moneyjson import money
from accounts.services import sync
from automation.machine import RunCommand
from automation.machine import run as events
from automation.models import Rule, RuleLeg, RuleRun, Transfer, Trigger
from automation.rules import Holding, Plan, Step, dedupe_id

from .beginning import begin
from .facts import connections, decide, read
from .routes import route
from .rows import RUN_KEPT, apply, busy, take
from .terms import log_readings

# Somebody waits for these and can simply ask again.
BY_HAND = frozenset({Trigger.Kind.MANUAL, Trigger.Kind.API})


def preview(rule: Rule, *, refresh: bool = False) -> Plan:
    """Return what `rule` would do now; moves nothing, and asks nobody but to `refresh`."""
    prefetch_related_objects([rule], Prefetch("legs", legs_with_accounts()))
    if refresh:
        sync(connections(rule), SyncRun.Kind.MANUAL)
    moment = now()
    accounts = list(read(rule))
    log_readings(rule, accounts, moment)
    return decide(rule, accounts, moment, preview=True)


def legs_with_accounts():
    return RuleLeg.objects.select_related("account__connection", "account__parent")


def plan_run(run: RuleRun) -> tuple[Sequence[RunCommand], list[Transfer]]:
    """Read, decide, and commit all transfers with frozen amounts in one transaction."""
    if why := held_back(run):
        event = events.Planned(*why)
        return apply(run, event, outcome=why[0]) or (), []
    # The network is asked before the transaction opens, never inside it.
    sync(connections(run.rule), SyncRun.Kind.PRE_AUTOMATION)
    for attempt in stamina.retry_context(on=OperationalError, attempts=5, timeout=10):
        with attempt:
            return commit_plan(run)
    raise AssertionError("stamina returns or raises")


def commit_plan(run: RuleRun) -> tuple[Sequence[RunCommand], list[Transfer]]:
    """Decide and write; the first transfer is claimed at once if its account is free."""
    try:
        return write_plan(run, at_once=True)
    except IntegrityError as error:
        if not busy(error):
            raise
    return write_plan(run, at_once=False)


def write_plan(
    run: RuleRun, *, at_once: bool
) -> tuple[Sequence[RunCommand], list[Transfer]]:
    """Decide on what is held now, and write run and transfers, all or nothing."""
    known = {name: getattr(run, name) for name in RUN_KEPT}
    try:
        with transaction.atomic():
            lock(run.rule)
            accounts, moment = list(read(run.rule)), now()
            decided = decide(run.rule, accounts, moment)
            rows = transfers(run, decided, {str(a.pk): a for a in accounts}, moment)
            commands = apply(run, verdict(run, decided), **record(decided, moment))
            if commands is None:
                return (), []
            if at_once and RunCommand.DRIVE in commands:
                begin(run, rows, accounts)
            Transfer.objects.bulk_create(rows)
    except DatabaseError:
        take(run, known)  # nothing of it was written
        raise
    log_readings(run.rule, accounts, moment)
    return commands, rows


def held_back(run: RuleRun) -> tuple[str, str] | None:
    """Return outcome and reason of a run that must not even be planned."""
    rule = run.rule
    if not rule.enabled or rule.archived_at is not None:
        return "skipped_disabled", "This rule is disabled"
    if run.trigger_kind in BY_HAND or rule.last_success_at is None:
        return None
    until = rule.last_success_at + timedelta(seconds=rule.cooldown_seconds)
    if now() >= until:
        return None
    return "skipped_not_due", f"Cooling down until {until:%Y-%m-%d %H:%M:%S} UTC"


def verdict(run: RuleRun, decided: Plan) -> events.Planned:
    """Return the plan's outcome; what was only stale is tried again until it is late."""
    by_itself = run.trigger_kind not in BY_HAND
    retry = by_itself and decided.outcome == "skipped_stale"
    return events.Planned(decided.outcome, decided.reason, retry)


def lock(rule: Rule) -> None:
    """Keep syncs, bookings and other planners away from the rule's accounts.

    It is a statement of its own: one that waits for a lock would read what was before.
    """
    ids = [connection.pk for connection in connections(rule)]
    held = Connection.objects.select_for_update(no_key=True).order_by("pk")
    list(held.filter(pk__in=ids).values_list("pk"))


def transfers(
    run: RuleRun, decided: Plan, accounts: dict[str, Account], moment: datetime
) -> list[Transfer]:
    """Return one row per provider call, in order; a second step waits for the first."""
    rows: list[Transfer] = []
    expires = moment + timedelta(seconds=run.rule.plan_ttl_seconds)
    for number, move in enumerate(decided.moves):
        before = None
        steps = route(accounts[move.source], accounts[move.target])
        for step, (source, target) in enumerate(steps):
            before = Transfer(
                id=dedupe_id(
                    settings.INSTALLATION_ID, run.rule_id, run.key, number, step
                ),
                run=run,
                move=number,
                step=step,
                depends_on=before,
                source=source,
                target=target,
                amount=move.amount,
                asset=run.rule.asset,
                expires_at=expires,
            )
            rows.append(before)
    return rows


def record(decided: Plan, moment: datetime) -> dict[str, Any]:
    """Return the plan as the columns of its run."""
    columns = plan_data(decided) | {"planned_at": moment}
    del columns["reason"]  # the machine decides what the run says
    return columns


def plan_data(decided: Plan) -> dict[str, Any]:
    """Return a plan in JSON's words: money as objects of strings."""
    assets = {held.account: held.asset for held in decided.readings}
    asset = next(iter(assets.values()), "")
    return {
        "plan_hash": decided.plan_hash,
        "outcome": decided.outcome,
        "reason": decided.reason,
        "readings": [reading(held) for held in decided.readings],
        "moves": [
            {
                "source": move.source,
                "target": move.target,
                "money": money(move.amount, assets.get(move.source, asset)),
            }
            for move in decided.moves
        ],
        "trace": list(trace(decided.trace, asset)),
    }


def reading(held: Holding) -> dict[str, Any]:
    known = held.available is not None
    return {
        "account": held.account,
        "available": money(held.available, held.asset) if known else None,
        "as_of": held.as_of.isoformat() if held.as_of else None,
        "age_seconds": held.age_seconds,
        "source": held.source,
    }


def trace(steps: Iterable[Step], asset: str):
    for step in steps:
        known = step.amount is not None
        yield {
            "step": step.step,
            "account": step.account,
            "text": step.text,
            "amount": money(step.amount, asset) if known else None,
        }
