"""Triggers of one rule that name the same day, one of which is moved to another."""

from __future__ import annotations

from automation.models import RuleRun, Trigger
from automation.rules.triggers import Occurrence
from automation.schedules import occurs


def is_anothers(trigger: Trigger, found: Occurrence) -> bool:
    """Tell whether another trigger fired under the key of `found`, on another day.

    It must be due then as it is written now: else it may have been what this one was.
    """
    if trigger.kind != Trigger.Kind.MONTHLY:
        return False
    runs = RuleRun.objects.filter(rule=trigger.rule_id, key=found.key)
    run = runs.select_related("trigger__rule").first()
    if run is None or run.trigger is None or run.trigger_id == trigger.pk:
        return False
    apart = run.scheduled_for != found.at
    return apart and occurs(run.trigger, found.key, run.scheduled_for)
