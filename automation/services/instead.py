"""The rule that runs where the conditions of another do not hold."""

from __future__ import annotations

from django.utils.timezone import now

from automation.models import Rule, RuleRun, Trigger
from automation.rules import Plan

from .retrying import is_retry
from .windows import occasion


def start_instead(run: RuleRun, decided: Plan) -> None:
    """Commit the run of the rule that `run` gives way to, once; the sweeper takes it.

    A window of days gives way once. A person who asked for the one by hand has asked for
    the other.
    """
    if not decided.instead or run.status != RuleRun.Status.SKIPPED_CONDITION:
        return
    if is_retry(run):
        return  # its occurrence has run
    by_hand = run.trigger_kind in Trigger.BY_HAND
    kind = run.trigger_kind if by_hand else Trigger.Kind.AFTER_RULE
    mine = Rule.objects.in_use().filter(workspace=run.rule.workspace_id)
    for rule in mine.filter(pk=decided.instead):
        RuleRun.objects.get_or_create(
            rule=rule,
            key=f"else:{occasion(run)}",
            defaults={
                "trigger_kind": kind,
                "requested_by": run.requested_by,
                "scheduled_for": run.scheduled_for,
                "amount": run.amount,
                "happened_at": run.salary_at,
                "next_attempt_at": now(),
            },
        )
