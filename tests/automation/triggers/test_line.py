"""Who goes first in a cycle, who waits, who is woken, and who is blocked."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import TestCase
from django.utils.timezone import now

from automation import services, tasks
from automation.models import RuleRun, Trigger
from tests.automation.conftest import gbp, leg

from .conftest import look

pytestmark = pytest.mark.django_db
DAILY = {"kind": "daily"}
OFTEN = {"kind": "cron", "expression": "* * * * *"}
SECOND = timedelta(seconds=1)


@pytest.fixture
def upstream(alice, rule_with):
    alice.fill(alice.main, 100_00)
    return rule_with(DAILY, name="rent", priority=50)


@pytest.fixture
def downstream(upstream, rule_with):
    return rule_with(DAILY, pot=1, depends_on=[str(upstream.pk)])


def due(rule, key="one", **more):
    """Start a run of `rule` as beat does."""
    run, _ = services.start_run(
        rule, key, trigger_kind="daily", **{"scheduled_for": now()} | more
    )
    return run


def work(run):
    """Let a worker carry out `run` and what it queues."""
    with TestCase.captureOnCommitCallbacks(execute=True):
        tasks.execute_run(str(run.pk))
    run.refresh_from_db()
    return run


def test_a_rule_waits_for_the_one_it_depends_on_and_is_woken(upstream, downstream):
    first, second = due(upstream), due(downstream)

    assert work(second).status == "due"
    assert second.reason == "Waits for rent, which it depends on"
    assert second.next_attempt_at > now() + 30 * SECOND
    assert second.attempts == 0

    assert work(first).status == "succeeded"
    second.refresh_from_db()
    assert second.status == "succeeded"


def test_it_waits_also_for_what_is_due_and_was_not_looked_at_yet(upstream, downstream):
    told = services.rule_data(upstream) | {"triggers": [OFTEN]}
    services.write_rule(upstream.workspace, told, rule=upstream)
    upstream.triggers.update(next_at=now() - 90 * SECOND)
    second = due(downstream)
    assert work(second).status == "due"

    with TestCase.captureOnCommitCallbacks(execute=True):
        tasks.dispatch_due_rules()

    second.refresh_from_db()
    assert second.status == "succeeded"
    assert upstream.runs.get().status == "succeeded"


@pytest.mark.parametrize(
    "status",
    [
        "failed",
        "partial",
        "stranded",
        "cancelled",
        "missed",
        "quarantined",
        "skipped_stale",
        "skipped_funds",
        "skipped_protected",
        "skipped_closed",
    ],
)
def test_a_failed_upstream_blocks_it_and_it_says_so(upstream, downstream, status):
    first = due(upstream)
    RuleRun.objects.filter(pk=first.pk).update(status=status, reason="No answer.")

    second = work(due(downstream))

    assert second.status == "skipped_condition"
    label = status.replace("_", " ")
    assert second.reason == f"Upstream rule rent ended as {label}: No answer."
    assert not second.transfers.exists()


@pytest.mark.parametrize(
    "status",
    [
        "succeeded",
        "nothing_to_do",
        "skipped_condition",
        "skipped_not_due",
        "skipped_disabled",
        "skipped_limit",
    ],
)
def test_an_upstream_that_had_nothing_to_do_lets_it_go(upstream, downstream, status):
    RuleRun.objects.filter(pk=due(upstream).pk).update(status=status)

    assert work(due(downstream)).status == "succeeded"


def test_a_failure_reaches_through_rules_that_did_not_run(
    alice, upstream, downstream, rule_with
):
    last = rule_with(DAILY, pot=2, depends_on=[str(downstream.pk)])
    RuleRun.objects.filter(pk=due(upstream).pk).update(status="failed")

    assert work(due(last)).status == "skipped_condition"


def test_a_cycle_reaches_back_by_the_lateness_and_its_newest_run_counts(
    upstream, downstream
):
    moment = now()
    ago = {"old": timedelta(hours=6, minutes=1), "failed": timedelta(hours=2)}
    for key, past in ago.items():
        run = due(upstream, key, scheduled_for=moment - past)
        RuleRun.objects.filter(pk=run.pk).update(status="failed")
    run = due(upstream, "again", scheduled_for=moment - timedelta(hours=1))
    RuleRun.objects.filter(pk=run.pk).update(status="succeeded")

    assert work(due(downstream, scheduled_for=moment)).status == "succeeded"
    RuleRun.objects.filter(pk=run.pk).delete()
    assert work(due(downstream, "two")).status == "skipped_condition"
    RuleRun.objects.filter(key="failed").delete()
    assert work(due(downstream, "three")).status == "succeeded"


def test_what_a_person_asks_for_waits_for_nobody(upstream, downstream):
    due(upstream)
    run, _ = services.start_run(downstream, "now", trigger_kind="manual")

    assert work(run).status == "succeeded"


def test_who_waits_too_long_is_missed_and_says_for_whom(upstream, downstream):
    first = due(upstream)
    RuleRun.objects.filter(pk=first.pk).update(status="awaiting_approval")
    second = work(due(downstream))
    assert second.status == "due"

    late = now() - timedelta(hours=7)
    RuleRun.objects.update(scheduled_for=late, next_attempt_at=None)

    assert work(second).status == "missed"
    assert "Waits for rent" in second.reason


def test_one_who_sat_down_while_the_other_ended_gets_up_by_itself(
    upstream, downstream, monkeypatch
):
    first, second = due(upstream), due(downstream)
    waits_for = services.runs.waits_for

    def while_the_other_ends(run):
        told = waits_for(run)
        if run.pk == second.pk and told:
            services.execute_run(first.pk)
        return told

    monkeypatch.setattr(services.runs, "waits_for", while_the_other_ends)

    assert work(second).status == "succeeded"


# -- priorities


def test_the_lower_number_goes_first_on_one_account(alice, rule_with):
    alice.fill(alice.main, 15_00)
    later = rule_with(DAILY, priority=20)
    sooner = rule_with(DAILY, pot=1, priority=10, name="sooner")
    second, first = due(later), due(sooner)

    assert work(second).status == "due"
    assert second.reason == "Waits for sooner, which goes first on the same account"
    assert work(first).status == "succeeded"
    second.refresh_from_db()

    assert (first.status, second.status) == ("succeeded", "skipped_funds")
    assert alice.holds(alice.pots[1]) == 10_00


def test_rules_on_other_accounts_do_not_wait(alice, rule_with):
    alice.fill(alice.pots[2], 100_00)
    due(rule_with(DAILY, priority=10))
    apart = alice.rule(
        "topup",
        leg(alice.pots[2], "source"),
        leg(alice.pots[1], "target", strategy="fixed", amount=gbp(1_00)),
        triggers=[DAILY],
    )

    assert work(due(apart)).status == "succeeded"


def test_nobody_waits_for_one_who_waits_himself(alice, rule_with):
    """By priority b is after a, a depends on c, and by priority c is after b."""
    alice.fill(alice.main, 100_00)
    c = rule_with(DAILY, pot=2, priority=30, name="c")
    a = rule_with(DAILY, priority=10, depends_on=[str(c.pk)], name="a")
    b = rule_with(DAILY, pot=1, priority=20, name="b")
    runs = [due(rule) for rule in (a, b, c)]

    for _ in range(2):
        for run in runs:
            work(run)

    assert [run.status for run in runs] == ["succeeded"] * 3


def test_beat_starts_by_priority_then_by_rule(rule_with):
    rules = [rule_with(OFTEN, priority=p) for p in (30, 10, 20, 10)]
    Trigger.objects.update(next_at=now() - 90 * SECOND)

    look()

    order = [run.rule_id for run in RuleRun.objects.order_by("created")]
    assert order == [r.pk for r in sorted(rules, key=lambda r: (r.priority, r.pk))]
