"""When rules become runs: once per occurrence, and never twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib import import_module
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.apps import apps
from django.utils.timezone import now
from django_celery_beat.models import PeriodicTask

from automation import services, tasks
from automation.models import Rule, RuleRun, Trigger

from .conftest import gbp, leg, sweep
from .test_concurrency import at_once

pytestmark = pytest.mark.django_db
LONDON = ZoneInfo("Europe/London")


@pytest.fixture
def rule_with(alice):
    def write(*triggers, **more) -> Rule:
        return alice.rule(
            "topup",
            leg(alice.main, "source"),
            leg(alice.pots[0], "target", strategy="fixed", amount=gbp(10_00)),
            triggers=list(triggers),
            **more,
        )

    return write


def overdue(rule: Rule, by: timedelta) -> Trigger:
    """Let the only trigger of `rule` have been due `by` ago."""
    trigger = rule.triggers.get()
    Trigger.objects.filter(pk=trigger.pk).update(next_at=trigger.next_at - by)
    return trigger


def test_writing_a_rule_says_when_it_is_due(rule_with):
    with time_machine.travel(datetime(2026, 2, 10, 12, tzinfo=UTC), tick=False):
        rule = rule_with({"kind": "monthly", "day": 31, "hour": 8})

    # The 31st of February is its last day.
    assert rule.next_due_at == datetime(2026, 2, 28, 8, tzinfo=LONDON)


def test_rules_without_a_clock_are_never_due(rule_with):
    assert rule_with({"kind": "manual"}, {"kind": "api"}).next_due_at is None


def test_a_due_trigger_starts_one_run_and_moves_on(rule_with):
    rule = rule_with({"kind": "interval", "minutes": 60})
    Trigger.objects.update(next_at=rule.created)

    (run,) = services.dispatch_due_rules()

    assert run.trigger_kind == "interval"
    assert services.dispatch_due_rules() == []
    rule.refresh_from_db()
    assert rule.next_due_at > now()


@pytest.mark.django_db(transaction=True)
def test_many_beats_at_once_start_one_run(rule_with):
    rule = rule_with({"kind": "interval", "minutes": 60})
    Trigger.objects.update(next_at=rule.created)

    started = at_once(lambda _: len(services.dispatch_due_rules()))

    assert sum(started) == 1
    assert RuleRun.objects.count() == 1


def test_a_clock_put_back_does_not_repeat_an_occurrence(rule_with):
    rule = rule_with({"kind": "interval", "minutes": 60})
    Trigger.objects.update(next_at=rule.created)
    services.dispatch_due_rules()
    Trigger.objects.update(next_at=rule.created)

    assert services.dispatch_due_rules() == []
    assert RuleRun.objects.count() == 1


def test_after_an_outage_one_run_catches_up(rule_with):
    start = datetime(2026, 3, 2, 12, tzinfo=UTC)
    with time_machine.travel(start, tick=False) as clock:
        rule_with({"kind": "interval", "minutes": 60})
        clock.shift(timedelta(hours=72, minutes=5))
        (run,) = services.dispatch_due_rules()
        assert now() - run.scheduled_for < timedelta(hours=1)
    assert RuleRun.objects.count() == 1


def test_an_occurrence_too_old_is_missed_and_says_so(rule_with):
    start = datetime(2026, 3, 2, 12, tzinfo=UTC)
    with time_machine.travel(start, tick=False) as clock:
        rule_with({"kind": "daily", "hour": 9})
        clock.shift(timedelta(days=1, hours=6))
        assert services.dispatch_due_rules() == []

    missed = RuleRun.objects.get()
    assert missed.status == "missed"
    assert "too late" in missed.reason


@pytest.mark.parametrize("off", [{"enabled": False}, {"archived_at": now()}])
def test_a_rule_that_is_off_never_starts(rule_with, off):
    rule = rule_with({"kind": "interval", "minutes": 60})
    Trigger.objects.update(next_at=rule.created)
    Rule.objects.update(**off)

    assert services.dispatch_due_rules() == []


# -- payday


def payday(**more):
    return {"kind": "payday", "min_amount": gbp(1000_00), **more}


def test_a_salary_starts_one_run_however_often_it_is_seen(alice, bank, rule_with):
    rule = rule_with(payday(pattern="acme"))
    bank.pay(alice.main.external_id, 2500_00, counterparty="ACME Ltd")
    alice.sync()
    Trigger.objects.update(next_at=now())

    (run,) = services.dispatch_due_rules()
    assert run.key.startswith("payday:")
    Trigger.objects.update(next_at=now())
    assert services.dispatch_due_rules() == []
    assert rule.runs.count() == 1


def test_money_of_another_size_is_no_salary(alice, bank, rule_with):
    rule_with(payday())
    bank.pay(alice.main.external_id, 999_99)
    alice.sync()
    Trigger.objects.update(next_at=now())

    assert services.dispatch_due_rules() == []


@pytest.mark.django_db(transaction=True)
def test_a_sync_that_brings_money_wakes_the_payday_trigger(alice, bank, rule_with):
    rule_with(payday())
    services.dispatch_due_rules()
    assert Trigger.objects.get().next_at > now()

    bank.pay(alice.main.external_id, 2500_00)
    alice.sync()

    assert len(services.dispatch_due_rules()) == 1


def test_a_cooldown_starts_with_success_only(alice, bank, rule_with, run):
    rule = rule_with({"kind": "daily"}, cooldown_seconds=3600)
    assert run(rule, "first", "daily").status == "skipped_funds"
    alice.fill(alice.main, 100_00)
    assert run(rule, "second", "daily").status == "succeeded"

    third = run(rule, "third", "daily")

    assert third.status == "skipped_not_due"
    assert "Cooling down" in third.reason


def test_a_person_need_not_wait_for_a_cooldown(alice, rule_with, run):
    rule = rule_with({"kind": "daily"}, cooldown_seconds=3600)
    alice.fill(alice.main, 100_00)
    run(rule, "first", "daily")

    assert run(rule, "by hand", "manual").status == "succeeded"


# -- beat and tasks


def test_beat_gets_two_rows_that_the_operator_may_edit(db):
    migration = import_module("automation.migrations.0002_schedule")
    mine = PeriodicTask.objects.filter(task__startswith="automation.")
    migration.add(apps, None)
    mine.update(enabled=False)
    migration.add(apps, None)

    assert set(mine.values_list("task", "enabled")) == {
        ("automation.tasks.dispatch_due_rules", False),
        ("automation.tasks.sweep_unsettled", False),
    }


@pytest.mark.django_db(transaction=True)
def test_the_tasks_carry_a_due_rule_to_its_end(alice, rule_with, moved):
    alice.fill(alice.main, 100_00)
    rule = rule_with({"kind": "interval", "minutes": 60})
    Trigger.objects.update(next_at=rule.created)

    tasks.dispatch_due_rules()

    assert RuleRun.objects.get().status == "succeeded"
    assert list(moved().values()) == [1]


def test_the_sweeper_finds_what_no_message_told(alice, rule_with):
    alice.fill(alice.main, 100_00)
    services.start_run(rule_with(), "lost message", trigger_kind="daily")

    sweep()

    assert RuleRun.objects.get().status == "succeeded"
