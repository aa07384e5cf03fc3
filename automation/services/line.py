"""Whose turn it is: rules that depend on others, and priorities on one account.

The run of an upstream rule belongs to the same cycle if it is that rule's newest whose
`scheduled_for` lies no more than the dependent's `max_lateness` before the dependent's
own, and no more than a minute after it. An upstream rule that has none in that time has
nothing to say; one whose trigger is due but was not looked at yet is waited for.

Dependencies reach through: who depends on a rule depends on what that one depends on.
Runs that a person asked for stand in no line.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.timezone import now

from automation.models import Rule, RuleLeg, RuleRun, Trigger
from automation.rules.identity import RETRY

from .locks import update_in_order

WAITS = "Waits for "
TOGETHER = timedelta(minutes=1)
Status = RuleRun.Status
# What an upstream rule should have done was not done, or not all of it.
FAILED = frozenset(
    {
        Status.FAILED,
        Status.PARTIAL,
        Status.STRANDED,
        Status.CANCELLED,
        Status.MISSED,
        Status.QUARANTINED,
        Status.SKIPPED_STALE,
        Status.SKIPPED_PROTECTED,
        Status.SKIPPED_CLOSED,
        Status.SKIPPED_FUNDS,
    }
)
Upstream = Rule.depends_on.through.objects  # from_rule depends on to_rule


def in_line(
    runs: QuerySet[RuleRun], moment: datetime | None = None
) -> QuerySet[RuleRun]:
    """Return `runs`, each with whether there is anybody to wait for or to be waked."""
    return runs.annotate(
        depends=Exists(Upstream.filter(from_rule=OuterRef("rule"))),
        behind=Exists(before_me(RuleRun.objects.all(), moment or now())),
        waited_for=Exists(Upstream.filter(to_rule=OuterRef("rule")))
        | Exists(neighbours()),
        watched=Exists(followers()),
    )


def before_me(runs: QuerySet[RuleRun], moment: datetime) -> QuerySet[RuleRun]:
    """Return, within a query of runs, those to be planned first on a shared account.

    One that waits for something itself is passed: nobody waits in a circle.
    """
    earlier = Q(rule__priority__lt=OuterRef("rule__priority")) | Q(
        rule__priority=OuterRef("rule__priority"), rule__lt=OuterRef("rule")
    )
    mine = RuleLeg.objects.filter(rule=OuterRef(OuterRef(OuterRef("rule"))))
    shared = RuleLeg.objects.filter(
        rule=OuterRef("rule"), account__in=mine.values("account")
    )
    return runs.filter(
        earlier,
        Q(next_attempt_at=None) | Q(next_attempt_at__lte=moment),
        Exists(shared),
        status=Status.DUE,
        rule__workspace=OuterRef("rule__workspace"),
        rule__enabled=True,
    )


def neighbours() -> QuerySet[RuleLeg]:
    """Return, within a query of runs, legs of other rules on the same accounts."""
    mine = RuleLeg.objects.filter(rule=OuterRef(OuterRef("rule")))
    return RuleLeg.objects.exclude(rule=OuterRef("rule")).filter(
        rule__enabled=True, account__in=mine.values("account")
    )


def followers() -> QuerySet[Trigger]:
    """Return, within a query of runs, triggers that may be glad of its end."""
    return Trigger.objects.filter(
        Q(upstream=OuterRef("rule"))
        | Q(kind=Trigger.Kind.BALANCE, rule__workspace=OuterRef("rule__workspace"))
    )


def waits_for(run: RuleRun) -> str:
    """Return whom `run` has to wait for now, in words, or nothing."""
    if run.trigger_kind in Trigger.BY_HAND or run.status != Status.DUE:
        return ""
    if run.depends and (rule := unfinished_upstream(run)):
        return f"{WAITS}{rule}, which it depends on"
    if run.behind:
        ahead = RuleRun.objects.filter(pk=run.pk).annotate(
            name=before_me(RuleRun.objects.all(), now()).values("rule__name")[:1]
        )
        if name := ahead.values_list("name", flat=True).first():
            return f"{WAITS}{name}, which goes first on the same account"
    return ""


def unfinished_upstream(run: RuleRun) -> str:
    """Return the name of a rule whose part in this cycle has not ended, or nothing."""
    rules = upstream_of([run.rule_id])
    for other in newest_runs(run, rules):
        if other.status in RuleRun.UNFINISHED:
            return other.rule.name
    moment = min(now(), run.scheduled_for + TOGETHER)
    due = Trigger.objects.filter(
        rule__in=rules,
        next_at__lte=moment,
        rule__enabled=True,
        rule__archived_at=None,
    )
    return due.values_list("rule__name", flat=True).first() or ""


def blocked_by(run: RuleRun) -> str:
    """Return why `run` must not be done in this cycle, or nothing."""
    if not run.depends or run.trigger_kind in Trigger.BY_HAND:
        return ""
    for other in newest_runs(run, upstream_of([run.rule_id])):
        if other.status in FAILED:
            told = f": {other.reason}" if other.reason else ""
            status = Status(other.status).label.lower()
            return f"Upstream rule {other.rule.name} ended as {status}{told}"
    return ""


def upstream_of(rules: Iterable[UUID]) -> set[UUID]:
    """Return every rule that one of `rules` depends on, however far."""
    found: set[UUID] = set()
    frontier = set(rules)
    while frontier:
        rows = Upstream.filter(from_rule__in=frontier)
        frontier = set(rows.values_list("to_rule_id", flat=True)) - found
        found |= frontier
    return found


def newest_runs(run: RuleRun, rules: set[UUID]) -> QuerySet[RuleRun]:
    """Return the runs of `rules` that belong to the cycle of `run`, one of each.

    The first part of an occurrence speaks for it, not what tries again what it left.
    """
    late = timedelta(seconds=run.rule.max_lateness_seconds)
    span = (run.scheduled_for - late, run.scheduled_for + TOGETHER)
    rows = RuleRun.objects.filter(rule__in=rules, scheduled_for__range=span)
    rows = rows.exclude(key__startswith=RETRY)
    rows = rows.select_related("rule").order_by("rule_id", "-scheduled_for", "-created")
    return rows.distinct("rule_id")


def wake_line(run: RuleRun) -> list[UUID]:
    """Make due the runs that need wait no longer, now that `run` rests, and return them.

    `run` itself may be among them: the other may have ended while it sat down.
    """
    if not any(
        getattr(run, name, True) for name in ("depends", "behind", "waited_for")
    ):
        return []
    waiting = in_line(RuleRun.objects.select_related("rule")).filter(
        status=Status.DUE,
        lease_until=None,
        next_attempt_at__gt=now(),
        reason__startswith=WAITS,
        rule__workspace=run.rule.workspace_id,
    )
    free = [
        other.pk
        for other in waiting.order_by("rule__priority", "rule_id")
        if not waits_for(other)
    ]
    if free:
        rows = RuleRun.objects.filter(pk__in=free, status=Status.DUE, lease_until=None)
        update_in_order(rows, next_attempt_at=now())
    return free
