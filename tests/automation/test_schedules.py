"""When rules become runs: once per occurrence, and never twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib import import_module
from zoneinfo import ZoneInfo

import pytest
import time_machine
from django.apps import apps
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now
from django_celery_beat.models import PeriodicTask

from accounts.models import Transaction
from automation import services, tasks
from automation.models import Rule, RuleRun, Trigger
from automation.services import dispatching

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


START = datetime(2027, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def written(rule_with):
    """Write a rule in March 2027, as if it were now."""

    def write(*triggers, **more):
        with time_machine.travel(START, tick=False):
            return rule_with(*triggers, **more)

    return write


@pytest.mark.parametrize("minutes", [1, 60, 7 * 60])
def test_after_an_outage_one_run_catches_up(written, minutes):
    written({"kind": "interval", "minutes": minutes})
    moment = START + timedelta(hours=72, minutes=5)

    (run,) = services.dispatch_due_rules(moment)

    assert moment - run.scheduled_for < timedelta(minutes=minutes)
    assert RuleRun.objects.count() == 1
    assert services.dispatch_due_rules(moment) == []


@pytest.mark.parametrize(
    ("late", "status"), [(timedelta(hours=6), "due"), (timedelta(hours=6.01), "missed")]
)
def test_what_is_older_than_the_lateness_is_missed_and_says_so(written, late, status):
    rule = written({"kind": "daily", "hour": 9})

    started = services.dispatch_due_rules(rule.next_due_at + late)

    run = RuleRun.objects.get()
    assert (run.status, len(started)) == (status, int(status == "due"))
    assert run.scheduled_for == rule.next_due_at
    assert ("too late" in run.reason) is (status == "missed")


def test_of_many_missed_days_one_is_told_and_the_next_is_on_time(written):
    rule = written({"kind": "daily", "hour": 9})
    assert services.dispatch_due_rules(START + timedelta(days=9, hours=6)) == []

    assert RuleRun.objects.get().status == "missed"
    rule.refresh_from_db()
    assert rule.next_due_at == START + timedelta(days=9, hours=21)


# -- many at once


@pytest.fixture
def rules_due(rule_with):
    """Make so many rules due that are otherwise alike, the first ones first."""

    def make(count: int) -> list[Rule]:
        rule = rule_with({"kind": "interval", "minutes": 60})
        due = rule.created
        rules = Rule.objects.bulk_create(
            Rule(
                workspace=rule.workspace,
                name=str(n),
                kind="topup",
                asset="GBP/2",
                priority=n,
            )
            for n in range(count)
        )
        Trigger.objects.bulk_create(
            Trigger(rule=row, kind="interval", minutes=60, anchor=due, next_at=due)
            for row in rules
        )
        return rules

    return make


def statements_of(work) -> int:
    with CaptureQueriesContext(connection) as captured:
        work()
    return len(captured)


def test_many_that_are_due_at_once_cost_as_many_statements_as_few(rules_due):
    rules_due(2)
    few = statements_of(services.dispatch_due_rules)
    rules = rules_due(60)

    assert statements_of(services.dispatch_due_rules) == few
    assert RuleRun.objects.filter(rule__in=rules).count() == 60


def test_all_that_is_due_is_started_by_one_beat_however_many_batches(
    rules_due, monkeypatch
):
    monkeypatch.setattr(dispatching, "BATCH", 3)
    rules = rules_due(8)

    started = services.dispatch_due_rules()

    assert [run.rule for run in started] == rules
    assert services.dispatch_due_rules() == []


def test_what_a_beat_has_no_time_for_is_left_to_the_next(rules_due, monkeypatch):
    monkeypatch.setattr(dispatching, "BATCH", 3)
    monkeypatch.setattr(dispatching, "SLICE", 0.0)
    rules = rules_due(5)

    beats = [services.dispatch_due_rules() for _ in range(2)]

    assert [len(runs) for runs in beats] == [3, 2]
    assert [run.rule for runs in beats for run in runs] == rules


def test_an_occurrence_that_was_started_already_is_not_started_again(rules_due):
    (rule,) = rules_due(1)
    (first,) = services.dispatch_due_rules()
    rule.triggers.update(next_at=first.scheduled_for)

    assert services.dispatch_due_rules() == []
    assert rule.runs.get() == first


# -- clocks


def test_the_databases_clock_decides_whatever_this_machines_says(rule_with):
    rule_with({"kind": "interval", "minutes": 60})

    with time_machine.travel(now() + timedelta(hours=5)):
        assert services.dispatch_due_rules() == []
    assert RuleRun.objects.count() == 0


def test_a_clock_that_steps_back_and_forth_repeats_and_skips_nothing(written):
    rule = written({"kind": "interval", "minutes": 60})
    steps = [61, 10, 61, 130, 70, 125, 190, 30, 250]
    for minutes in steps:
        services.dispatch_due_rules(START + timedelta(minutes=minutes))

    hours = [
        (run.scheduled_for - START) / timedelta(hours=1) for run in rule.runs.all()
    ]
    assert sorted(hours) == [1, 2, 3, 4]


@pytest.mark.parametrize("kind", ["daily", "monthly", "payday"])
def test_a_trigger_that_cannot_be_read_any_more_stops_nobody_else(rule_with, kind):
    broken = {
        "daily": {"kind": "daily"},
        "monthly": {"kind": "monthly", "day": 1, "business_day": "next"},
        "payday": payday(),
    }
    bad = rule_with(broken[kind], priority=1)
    good = rule_with({"kind": "interval", "minutes": 60})
    if kind == "monthly":
        bad.triggers.update(calendar="XX")
    else:
        Rule.objects.filter(pk=bad.pk).update(timezone="Mars/Base")
    Trigger.objects.update(next_at=good.created)

    (run,) = services.dispatch_due_rules()

    assert run.rule == good
    broken = bad.triggers.get()
    assert broken.next_at > now()
    assert ("XX" if kind == "monthly" else "Mars/Base") in broken.problem
    assert good.triggers.get().problem == ""


def test_a_trigger_that_can_be_read_again_says_nothing_any_more(rule_with):
    rule = rule_with({"kind": "daily"})
    rule.triggers.update(problem="No such calendar", next_at=rule.created)

    services.dispatch_due_rules()

    assert rule.triggers.get().problem == ""


def test_a_rule_that_is_written_anew_forgets_why_its_triggers_could_not_fire(
    alice, rule_with
):
    rule = rule_with({"kind": "daily"})
    rule.triggers.update(problem="No such calendar")

    services.write_rule(alice.workspace, services.rule_data(rule), rule=rule)

    assert rule.triggers.get().problem == ""


@pytest.mark.django_db(transaction=True)
def test_a_rule_that_is_being_written_is_left_to_the_next_beat(rule_with):
    rule = rule_with({"kind": "interval", "minutes": 60})
    Trigger.objects.update(next_at=rule.created)

    with transaction.atomic():
        Rule.objects.select_for_update().get(pk=rule.pk)
        (started,) = at_once(lambda _: services.dispatch_due_rules(), count=1)
        assert started == []

    assert len(services.dispatch_due_rules()) == 1


def test_what_is_due_among_many_is_found_by_an_index(rule_with):
    rule = rule_with({"kind": "interval", "minutes": 60})
    rows = Rule.objects.bulk_create(
        Rule(workspace=rule.workspace, name=str(n), kind="topup", asset="GBP/2")
        for n in range(1000)
    )
    later = now() + timedelta(days=1)
    Trigger.objects.bulk_create(
        Trigger(rule=row, kind="daily", next_at=later) for row in rows
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE automation_rule, automation_trigger")
    with CaptureQueriesContext(connection) as captured:
        assert services.dispatch_due_rules() == []

    (asked,) = [q["sql"] for q in captured if q["sql"].startswith("SELECT")]
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN " + asked)
        assert "trigger_due" in "".join(row[0] for row in cursor.fetchall())


def test_what_is_due_just_now_is_not_lost_by_rewriting_the_rule(alice, rule_with):
    rule = rule_with({"kind": "interval", "minutes": 60})
    Trigger.objects.update(next_at=rule.created)
    told = services.rule_data(rule)
    services.write_rule(alice.workspace, told | {"name": "Other"}, rule=rule)

    assert len(services.dispatch_due_rules()) == 1


def test_a_rule_that_was_off_catches_nothing_up(alice, rule_with):
    rule = rule_with({"kind": "interval", "minutes": 60})
    told = services.rule_data(rule)
    services.write_rule(alice.workspace, told | {"enabled": False}, rule=rule)
    Trigger.objects.update(next_at=rule.created)
    services.write_rule(alice.workspace, told, rule=rule)

    assert services.dispatch_due_rules() == []


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


@pytest.fixture
def paid(alice, bank):
    """Let a salary come in and be read, and return the runs that it starts."""

    def pay(amount=2500_00, **about):
        bank.pay(alice.main.external_id, amount, **about)
        alice.sync()
        Trigger.objects.update(next_at=now())
        return services.dispatch_due_rules()

    return pay


def test_a_run_of_a_salary_knows_its_amount_and_its_day(rule_with, paid):
    rule_with(payday())
    (run,) = paid(2500_00)

    run.refresh_from_db()
    assert run.amount == 2500_00
    assert run.happened_at == Transaction.objects.get(amount=2500_00).created


def test_after_a_success_no_other_salary_of_the_cycle_counts(rule_with, paid):
    rule = rule_with(payday())
    (run,) = paid()
    assert services.execute_run(run.pk).status == "succeeded"

    assert rule.triggers.get().last_fired_at == run.happened_at
    assert paid() == []


def test_after_a_failure_the_next_salary_counts(alice, bank, rule_with, paid, orders):
    rule_with(payday())
    (run,) = paid()
    bank.fault("refuse", **orders)
    assert services.execute_run(run.pk).status == "failed"

    assert len(paid()) == 1


def test_a_second_salary_waits_until_the_first_is_done_with(rule_with, paid):
    rule_with(payday())
    (run,) = paid()

    assert paid() == []  # it may yet turn out to be of the same cycle
    RuleRun.objects.filter(pk=run.pk).update(status="failed")
    Trigger.objects.update(next_at=now())
    assert len(services.dispatch_due_rules()) == 1


def test_a_changed_payday_remembers_its_cycle(alice, rule_with, paid):
    rule = rule_with(payday())
    (run,) = paid()
    services.execute_run(run.pk)
    told = services.rule_data(rule)
    told["triggers"][0]["look_back_days"] = 30
    services.write_rule(alice.workspace, told, rule=rule)

    assert paid() == []


def test_a_payday_that_is_changed_before_its_run_has_ended_remembers_its_cycle(
    alice, rule_with, paid
):
    rule = rule_with(payday())
    (run,) = paid()
    told = services.rule_data(rule)
    told["triggers"][0]["look_back_days"] = 30
    services.write_rule(alice.workspace, told, rule=rule)
    assert services.execute_run(run.pk).status == "succeeded"

    assert paid() == []


def test_a_late_success_does_not_bring_an_older_cycle_back(alice, rule_with, run):
    rule = rule_with(payday())
    alice.fill(alice.main, 100_00)
    this = now()
    seen = {"kind": "payday", "trigger": rule.triggers.get()}
    run(rule, "newer", happened_at=this, **seen)

    late = run(rule, "older", happened_at=this - timedelta(days=30), **seen)

    assert late.status == "succeeded"
    assert rule.triggers.get().last_fired_at == this


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


BEAT = "automation.migrations.0004_beat"


def test_beat_gets_few_rows_that_the_operator_may_edit(db):
    mine = PeriodicTask.objects.filter(task__startswith="automation.")
    mine.update(enabled=False)
    for operation in import_module(BEAT).Migration.operations:
        operation.code(apps, None)

    told = dict(mine.values_list("task", "enabled"))
    assert told.keys() >= {
        "automation.tasks.dispatch_due_rules",
        "automation.tasks.sweep_unsettled",
    }
    assert not any(told.values())
    assert PeriodicTask.objects.count() < 20


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


def test_a_clock_that_went_a_month_ahead_and_back_leaves_no_rule_silent(rule_with):
    """The first day alone is told as missed: nothing else was looked at in between."""
    rule = rule_with({"kind": "daily", "hour": 9})
    due = rule.next_due_at
    too_late = due + timedelta(days=30) - timedelta(hours=3)
    assert services.dispatch_due_rules(too_late) == []
    assert RuleRun.objects.get().status == "missed"

    sweep()

    assert services.dispatch_due_rules() == []
    rule.refresh_from_db()
    assert rule.next_due_at == due
    days = [due + timedelta(days=day, hours=2) for day in range(29)]
    assert [len(services.dispatch_due_rules(day)) for day in days] == [0] + [1] * 28


def test_what_a_clock_that_was_ahead_has_begun_is_not_begun_again(rule_with):
    rule = rule_with({"kind": "daily", "hour": 9})
    due = rule.next_due_at
    (early,) = services.dispatch_due_rules(due)

    sweep()

    assert services.dispatch_due_rules() == []
    assert services.dispatch_due_rules(due) == []
    assert RuleRun.objects.get() == early
    rule.refresh_from_db()
    assert rule.next_due_at - due in (timedelta(hours=h) for h in (23, 24, 25))


def test_what_waits_for_facts_looks_again_once_the_clock_is_right(rule_with):
    rule = rule_with({"kind": "payday", "min_amount": gbp(900_00)})
    services.dispatch_due_rules(now() + timedelta(days=30))

    sweep()

    assert rule.triggers.get().next_at <= now()


def test_schedules_that_nobody_has_seen_in_the_future_are_left_alone(rule_with):
    rule = rule_with(
        {"kind": "monthly", "day": 28}, {"kind": "payday", "min_amount": gbp(900_00)}
    )
    services.dispatch_due_rules()
    before = list(rule.triggers.values_list("next_at", flat=True))

    sweep()

    assert list(rule.triggers.values_list("next_at", flat=True)) == before
