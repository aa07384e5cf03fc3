"""What a rule would have done: the stored past as the pure replay reads it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Q, Sum
from django.db.models.functions import Coalesce
from django.utils.timezone import now

from accounts.models import Account, BalanceSnapshot, Transaction
from accounts.moneyjson import money
from automation.models import Rule, RuleRun, Transfer, Trigger
from automation.rules.identity import RETRY
from automation.rules.localtime import midnight, zone_of
from automation.rules.past import Flow, Followed, Past, Reading
from automation.rules.replay import (
    MOST_DAYS,
    Replay,
    ReplayError,
    Row,
    Stretch,
    StretchError,
)
from automation.rules.replay import replay as replayed
from automation.schedules import trigger_spec

from .facts import read
from .movements import fed_accounts, movement, our_own
from .past_spending import outlays_of, promised, salaries_of
from .plans import reading, told_moves, trace
from .terms import holdings, rule_spec

__all__ = ["ReplayError", "replay", "replay_data"]

SEEN = (Trigger.Kind.PAYDAY, Trigger.Kind.TRANSACTION)


def replay(
    rule: Rule, since: datetime, until: datetime, *, carry: bool = True
) -> Replay:
    """Return what `rule` would have done from `since` to `until`; writes nothing.

    The future has no past: `until` is at most now. Raises StretchError and
    TooManyOccurrences; how it is read says `automation.rules.replay`.
    """
    until = min(until, now())
    if not since < until <= since + timedelta(MOST_DAYS):
        raise StretchError
    triggers = list(rule.triggers.all())
    for trigger in triggers:
        trigger.rule = rule
    stretch = Stretch(
        since,
        until,
        cooldown=timedelta(seconds=rule.cooldown_seconds),
        lateness=timedelta(seconds=rule.max_lateness_seconds),
        carry=carry,
    )
    past = past_of(rule, triggers, stretch)
    return replayed(rule_spec(rule), [trigger_spec(t) for t in triggers], past, stretch)


def past_of(rule: Rule, triggers: Sequence[Trigger], stretch: Stretch) -> Past:
    """Return what is stored of the accounts of `rule`, and of what it really did."""
    accounts = list(read(rule))
    watched = {t.account_id for t in triggers if t.account_id}
    ids = {account.pk for account in accounts} | watched
    before = rule.runs.filter(
        status=RuleRun.Status.SUCCEEDED, finished_at__lt=stretch.since, dry=False
    ).exclude(key__startswith=RETRY)
    return Past(
        accounts=holdings(accounts, now=stretch.since),
        readings=readings_of(ids, stretch),
        movements=movements_of(rule, triggers, stretch),
        flows=flows_of(rule, stretch),
        followed=followed_by(triggers, stretch),
        outlays=outlays_of(rule, accounts, stretch),
        promises=promised(rule, accounts, stretch),
        salaries=salaries_of(rule, accounts, stretch),
        closed=since_when(accounts, "closed_at"),
        protected=since_when(accounts, "protected_at"),
        last_success=before.order_by("finished_at")
        .values_list("finished_at", flat=True)
        .last(),
        last_fired=last_fired(triggers, before),
        moved=moved_before(rule, stretch.since),
    )


def since_when(accounts: Iterable[Account], name: str) -> dict[str, datetime]:
    """Return by account since when it is closed, or protected."""
    return {str(a.pk): at for a in accounts if (at := getattr(a, name)) is not None}


def readings_of(ids: set[UUID], stretch: Stretch) -> dict[str, list[Reading]]:
    """Return by account the snapshots of the stretch, and the one that it began with."""
    rows = BalanceSnapshot.objects.filter(account__in=ids).order_by(
        "account_id", "as_of"
    )
    first = rows.filter(as_of__lt=stretch.since).order_by("account_id", "-as_of")
    within = rows.filter(as_of__gte=stretch.since, as_of__lte=stretch.until)
    found: dict[str, list[Reading]] = defaultdict(list)
    for snapshots in (first.distinct("account_id"), within):
        told = snapshots.values_list("account_id", "as_of", "available", "total")
        for account, as_of, available, total in told:
            found[str(account)].append(Reading(as_of, int(available), int(total)))
    return found


def movements_of(
    rule: Rule, triggers: Sequence[Trigger], stretch: Stretch
) -> dict[str, list[Any]]:
    """Return by account what moved where the rule is fed, if a trigger looks there."""
    days = [t.look_back_days for t in triggers if t.kind in SEEN]
    if not days:
        return {}
    start = stretch.since - timedelta(days=max(days))
    rows = Transaction.objects.filter(
        account__in=fed_accounts([rule.pk])[rule.pk],
        created__gte=start,
        created__lte=stretch.until,
    )
    known = list(rows.order_by("created", "pk"))
    ours = our_own(known)
    found: dict[str, list[Any]] = defaultdict(list)
    for row in known:
        found[str(row.account_id)].append(movement(row, ours))
    return found


def flows_of(rule: Rule, stretch: Stretch) -> list[Flow]:
    """Return what the rule's own transfers of the stretch moved, or may have moved."""
    rows = Transfer.objects.filter(
        run__rule=rule,
        first_sent_at__gte=stretch.since,
        first_sent_at__lte=stretch.until,
    )
    done = Q(status__in=(Transfer.Status.DONE, Transfer.Status.REVERSED))
    uncertain = Q(status__in=(Transfer.Status.SENDING, Transfer.Status.UNKNOWN))
    return [
        Flow(
            str(row.source_id),
            str(row.target_id),
            int(row.amount),
            row.first_sent_at,
            row.settled_at,
        )
        for row in rows.filter(done | uncertain)
    ]


def followed_by(triggers: Sequence[Trigger], stretch: Stretch) -> list[Followed]:
    """Return the successes of the rules that triggers follow."""
    upstream = {t.upstream_id for t in triggers if t.upstream_id}
    runs = RuleRun.objects.filter(
        rule__in=upstream,
        status=RuleRun.Status.SUCCEEDED,
        dry=False,
        finished_at__gte=stretch.since,
        finished_at__lte=stretch.until,
    )
    runs = runs.exclude(key__startswith=RETRY).annotate(
        moved=Transfer.objects.arrived().sum_of("pk")
    )
    return [
        Followed(str(run.rule_id), str(run.pk), run.finished_at, int(run.moved))
        for run in runs
    ]


def last_fired(triggers: Sequence[Trigger], before) -> dict[int, datetime]:
    """Return by place when what each trigger saw last before the stretch happened."""
    newest = before.order_by("finished_at").annotate(
        fired=Coalesce("happened_at", "finished_at")
    )
    by_trigger = dict(newest.values_list("trigger_id", "fired"))
    return {
        index: by_trigger[trigger.pk]
        for index, trigger in enumerate(triggers)
        if trigger.pk in by_trigger
    }


def moved_before(rule: Rule, since: datetime) -> list[tuple[datetime, int]]:
    """Return what the rule had moved before `since`: one by one on its last day."""
    began = midnight(since, zone_of(rule.timezone))
    rows = Transfer.objects.moved_by(rule).filter(created__lt=since)
    older = rows.filter(created__lt=began).aggregate(sum=Sum("amount"))["sum"]
    today = rows.filter(created__gte=began).values_list("created", "amount")
    return [
        *([(began - timedelta(days=1), int(older))] if older else []),
        *((at, int(amount)) for at, amount in today),
    ]


# -- as JSON


def replay_data(rule: Rule, found: Replay) -> dict[str, Any]:
    """Return a replay in JSON's words: rows, totals, and what is not played."""
    return {
        "rule": str(rule.pk),
        "since": told(found.stretch.since),
        "until": told(found.stretch.until),
        "carry": found.course.carry,
        "rows": [row_data(row, rule.asset) for row in found.rows],
        "totals": {
            "occurrences": len(found.rows),
            "moved": money(found.total, rule.asset),
            "outcomes": dict(found.outcomes),
            "accounts": list(account_totals(rule, found)),
        },
        "not_played": list(found.silent),
    }


def row_data(row: Row, asset: str) -> dict[str, Any]:
    return {
        "at": told(row.at),
        "due": told(row.due),
        "key": row.key,
        "trigger": row.trigger,
        "why": row.why,
        "outcome": row.outcome,
        "reason": row.reason,
        "total": money(row.total, asset),
        "moves": told_moves(row.moves, asset),
        "readings": [reading(held) for held in row.readings],
        "trace": list(trace(row.trace, asset)),
    }


def account_totals(rule: Rule, found: Replay) -> Iterable[dict[str, Any]]:
    """Yield what would have gone into and out of each account, in order of legs."""
    moves = [move for row in found.rows for move in row.moves]
    ends = dict.fromkeys(end for move in moves for end in (move.source, move.target))
    for account in ends:
        into = sum(move.amount for move in moves if move.target == account)
        out = sum(move.amount for move in moves if move.source == account)
        yield {
            "account": account,
            "into": money(into, rule.asset),
            "out_of": money(out, rule.asset),
        }


def told(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
