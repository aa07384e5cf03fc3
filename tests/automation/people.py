"""What people ask of runs, and what they read on them."""

from __future__ import annotations

from datetime import timedelta

from django.test import TestCase
from django.utils.timezone import now

from automation import services
from automation.models import Rule, RuleRun

from .conftest import Person

SECOND = timedelta(seconds=1)


def demand(rule: Rule, **terms) -> Rule:
    """Let `rule` want something before it moves money."""
    Rule.objects.filter(pk=rule.pk).update(**terms)
    rule.refresh_from_db()
    return rule


def again(run: RuleRun) -> RuleRun:
    """Let a worker take `run` further, as soon as it is due."""
    return services.execute_run(run.pk)


def its_notice_is_over(run: RuleRun) -> None:
    ago = now() - SECOND
    RuleRun.objects.filter(pk=run.pk).update(notice_until=ago, next_attempt_at=ago)


def steps(run: RuleRun) -> list[str]:
    return [step["step"] for step in run.trace]


def minor(run: RuleRun) -> list[int]:
    return [int(move["money"]["minor"]) for move in run.moves]


def synced(person: Person) -> None:
    """Sync as a worker does: what follows a commit happens."""
    with TestCase.captureOnCommitCallbacks(execute=True):
        person.sync()
