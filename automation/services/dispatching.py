"""Due triggers become runs, one per occurrence, whoever looks and however often."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Q
from django.utils.timezone import now

from accounts.models import Account, Transaction
from automation.models import RuleLeg, RuleRun, Trigger
from automation.rules.payday import MovementSeen, payday
from automation.rules.triggers import Occurrence
from automation.schedules import newest_due, next_at, refresh_due, trigger_spec

from .runs import start_run

log = structlog.get_logger("automation.schedules")
BATCH = 500  # triggers claimed at a time
LOOK_AGAIN = timedelta(minutes=10)  # for a salary, should the news of it be lost


def dispatch_due_rules() -> list[RuleRun]:
    """Start a run for every trigger that is due, and return the runs to carry out.

    Safe from many beats: a trigger is claimed by one, and a key starts one run.
    """
    with transaction.atomic():
        triggers = claim_due(now())
        if not triggers:
            return []
        seen = movements_for([t for t in triggers if t.kind == Trigger.Kind.PAYDAY])
        runs = [run for t in triggers for run in fire(t, seen.get(t.pk, ()))]
        Trigger.objects.bulk_update(triggers, ["next_at"])
        refresh_due({trigger.rule_id for trigger in triggers})
    return runs


def claim_due(moment: datetime) -> list[Trigger]:
    """Return due triggers, locked; those another beat holds are skipped."""
    rows = Trigger.objects.select_for_update(skip_locked=True, of=("self",))
    rows = rows.select_related("rule").filter(
        next_at__lte=moment, rule__enabled=True, rule__archived_at=None
    )
    return list(rows.order_by("rule__priority", "next_at")[:BATCH])


def fire(trigger: Trigger, seen: Sequence[MovementSeen]) -> list[RuleRun]:
    """Start what `trigger` makes due and move it on to its next moment."""
    moment = now()
    if trigger.kind == Trigger.Kind.PAYDAY:
        found = salary(trigger, seen, moment)
        trigger.next_at = moment + LOOK_AGAIN
    else:
        found = newest_due(trigger, moment)
        trigger.next_at = next_at(trigger, moment)
    return start(trigger, found, moment) if found else []


def start(trigger: Trigger, found: Occurrence, moment: datetime) -> list[RuleRun]:
    """Start the run of one occurrence, or note that it was missed."""
    run, created = start_run(
        trigger.rule,
        found.key,
        trigger_kind=trigger.kind,
        trigger=trigger,
        scheduled_for=found.at,
    )
    lateness = timedelta(seconds=trigger.rule.max_lateness_seconds)
    if created and moment - found.at > lateness:
        miss(run, moment)
        return []
    return [run] if created else []


def miss(run: RuleRun, moment: datetime) -> None:
    late = moment - run.scheduled_for
    run.status, run.outcome = RuleRun.Status.MISSED, RuleRun.Status.MISSED
    run.reason = f"It was due {late} earlier, which is too late to catch up"
    run.finished_at = moment
    run.save(update_fields=["status", "outcome", "reason", "finished_at"])
    log.warning("run_missed", run=str(run.pk), rule=str(run.rule_id), late=str(late))


# -- payday


def salary(
    trigger: Trigger, seen: Sequence[MovementSeen], moment: datetime
) -> Occurrence | None:
    return payday(
        trigger_spec(trigger),
        seen,
        asset=trigger.rule.asset,
        now=moment,
        last_fired=trigger.last_fired_at,
    )


def movements_for(triggers: Sequence[Trigger]) -> dict[UUID, list[MovementSeen]]:
    """Return, by trigger, the money that came into the accounts its rule is fed from."""
    if not triggers:
        return {}
    fed = fed_accounts({trigger.rule_id for trigger in triggers})
    longest = max(trigger.look_back_days for trigger in triggers)
    rows = Transaction.objects.filter(
        account__in={account for accounts in fed.values() for account in accounts},
        created__gte=now() - timedelta(days=longest),
        amount__gt=0,
    )
    by_account: dict[UUID, list[MovementSeen]] = defaultdict(list)
    for row in rows:
        by_account[row.account_id].append(movement(row))
    return {
        trigger.pk: [m for account in fed[trigger.rule_id] for m in by_account[account]]
        for trigger in triggers
    }


def fed_accounts(rules: Iterable[UUID]) -> dict[UUID, set[UUID]]:
    """Return the sources of `rules`, and the accounts around those that are pots."""
    fed: dict[UUID, set[UUID]] = defaultdict(set)
    rows = RuleLeg.objects.filter(rule__in=rules, role="source")
    for rule, account, around in rows.values_list(
        "rule_id", "account_id", "account__parent_id"
    ):
        fed[rule] |= {account, around} - {None}
    return fed


def movement(row: Transaction) -> MovementSeen:
    return MovementSeen(
        external_id=row.external_id,
        amount=row.amount,
        asset=row.asset,
        created=row.created,
        settled=row.settled,
        declined=bool(row.declined),
        description=row.description,
        counterparty=row.counterparty,
        merchant=row.merchant,
        category=row.category,
        pot=row.pot,
    )


def wake_paydays(accounts: Iterable[UUID]) -> int:
    """Let payday triggers fed from `accounts` be looked at now; return how many."""
    ids = list(accounts)
    pots = Account.objects.filter(parent__in=ids).values("pk")
    legs = RuleLeg.objects.filter(
        Q(account__in=ids) | Q(account__in=pots), role="source"
    )
    rows = Trigger.objects.filter(
        kind=Trigger.Kind.PAYDAY, rule__in=legs.values("rule"), next_at__gt=now()
    )
    return rows.update(next_at=now())
