"""Whoever locks many rows takes them in order: nobody waits in a circle.

Each test holds the first of two rows and lets another connection come for both. It must
wait for the first before it takes the second, whatever order they are stored in: had it
taken the second, each would now wait for the other.
"""

from __future__ import annotations

import threading
from datetime import timedelta
from uuid import UUID

import pytest
from django.db import DatabaseError, connections, transaction
from django.utils.timezone import now

from automation import services, tasks
from automation.machine.transfer import BUSY
from automation.models import Rule, RuleRun, Transfer, Trigger
from automation.services import sweeping, waking
from automation.services.line import WAITS, wake_line

from .conftest import Person, gbp, leg
from .test_meanwhile import somebody_waits

pytestmark = pytest.mark.django_db(transaction=True)
LATER = timedelta(hours=1)
IDS = (UUID(int=2), UUID(int=1))  # the first in order is stored last


def comes_for_both(rows, work, **how) -> None:
    """Let `work` come for two rows of which this connection holds the first.

    `how` they are held is as in `select_for_update`.
    """
    failures: list[DatabaseError] = []

    def come() -> None:
        try:
            work()
        except DatabaseError as error:
            failures.append(error)
        finally:
            connections.close_all()

    thread = threading.Thread(target=come)
    first, second = rows.order_by("pk").values_list("pk", flat=True)
    with transaction.atomic():
        rows.model.objects.select_for_update(**how).get(pk=first)
        thread.start()
        while thread.is_alive() and not somebody_waits():
            pass
        assert thread.is_alive()  # it came for the row that is held
        rows.model.objects.select_for_update(nowait=True, **how).get(pk=second)
    thread.join(30)
    assert failures == []


@pytest.fixture
def rule(alice) -> Rule:
    return topped_up(alice)


def topped_up(person) -> Rule:
    person.fill(person.main, 100_00)
    return person.rule(
        "topup",
        leg(person.main, "source"),
        leg(person.pots[0], "target", strategy="fixed", amount=gbp(10_00)),
        triggers=[{"kind": "daily"}],
    )


def runs(rule: Rule, **more) -> list[RuleRun]:
    """Two runs that wait for something for an hour."""
    waiting = {"trigger_kind": "daily", "next_attempt_at": now() + LATER} | more
    return [
        RuleRun.objects.create(
            id=pk, rule=rule, key=str(pk), scheduled_for=now(), **waiting
        )
        for pk in IDS
    ]


def transfers(alice, waiting: list[RuleRun], code: str) -> None:
    for run in waiting:
        Transfer.objects.create(
            id=run.pk,
            run=run,
            move=0,
            source=alice.main,
            target=alice.pots[0],
            amount=1,
            asset="GBP/2",
            error_code=code,
            next_attempt_at=run.next_attempt_at,
        )


def all_due(rows) -> bool:
    return not rows.exclude(next_attempt_at__lte=now()).exists()


def test_runs_that_were_short_are_waked_in_order(alice, rule):
    runs(rule, outcome="skipped_funds")

    comes_for_both(
        RuleRun.objects.all(), lambda: services.wake_short([alice.connection.pk])
    )

    assert all_due(RuleRun.objects)


def test_runs_in_line_are_waked_in_order(alice, rule):
    runs(rule, reason=f"{WAITS}another")
    ended = RuleRun(rule=rule, status="succeeded")

    comes_for_both(RuleRun.objects.all(), lambda: wake_line(ended))

    assert all_due(RuleRun.objects)


@pytest.mark.parametrize("rows", [RuleRun, Transfer])
def test_what_waited_for_an_account_is_waked_in_order(alice, rule, rows):
    waiting = runs(rule, status="running")
    transfers(alice, waiting, BUSY)
    found = {run.pk: run.pk for run in waiting}

    comes_for_both(rows.objects.all(), lambda: sweeping.let_go(found, now()))

    assert all_due(RuleRun.objects)
    assert all_due(Transfer.objects)


@pytest.mark.parametrize("rows", [RuleRun, Transfer])
def test_what_waited_for_a_pause_goes_on_in_order(alice, workspace, rule, anna, rows):
    transfers(alice, runs(rule, status="running"), "paused")
    services.pause(workspace, user=anna)

    comes_for_both(rows.objects.all(), lambda: services.unpause(workspace, user=anna))

    assert all_due(RuleRun.objects)
    assert all_due(Transfer.objects)


@pytest.mark.parametrize("rows", [RuleRun, Rule, Trigger])
def test_what_runs_end_with_side_by_side_is_locked_in_order(
    bank, workspace, rule, rows
):
    rules = [rule, topped_up(Person(bank, workspace, "bert"))]
    due = [
        services.start_run(
            each, "one", trigger_kind="daily", trigger=each.triggers.get()
        )[0]
        for each in rules
    ]
    # Had it no order of its own, the statement would find the last of them first, or by
    # chance: a join takes rows in any order.
    due.sort(key=lambda run: key_of(run, rows), reverse=True)

    comes_for_both(
        rows.objects.all(),
        lambda: list(services.execute_runs([run.pk for run in due])),
        no_key=True,
    )

    assert [run.status for run in RuleRun.objects.all()] == ["succeeded"] * 2
    assert not Rule.objects.filter(last_success_at=None).exists()
    assert not Trigger.objects.filter(last_fired_at=None).exists()


def key_of(run: RuleRun, rows) -> UUID:
    return {RuleRun: run.pk, Rule: run.rule_id, Trigger: run.trigger_id}[rows]


@pytest.fixture
def two_triggers(rule) -> Rule:
    Trigger.objects.all().delete()
    for pk in IDS:
        Trigger.objects.create(
            id=pk, rule=rule, kind="balance", account=rule.legs.first().account
        )
    Trigger.objects.update(next_at=now() + LATER)
    return rule


def test_triggers_are_waked_in_order(two_triggers):
    account = two_triggers.legs.first().account_id

    comes_for_both(Trigger.objects.all(), lambda: waking.wake_triggers([account]))

    assert not Trigger.objects.filter(next_at__gt=now()).exists()


def test_a_rule_is_written_with_its_triggers_locked_in_order(alice, two_triggers):
    told = services.rule_data(two_triggers) | {"triggers": [{"kind": "hourly"}]}

    comes_for_both(
        Trigger.objects.all(),
        lambda: services.write_rule(alice.workspace, told, rule=two_triggers),
    )

    assert Trigger.objects.get().kind == "hourly"


def test_a_rule_that_is_written_waits_for_a_success_of_it_before_it_is_locked(
    alice, rule
):
    """A success locks its run, then the rule: whoever writes it comes the same way."""
    runs(rule)
    told = services.rule_data(rule) | {"triggers": [{"kind": "hourly"}]}

    def succeed_meanwhile() -> None:
        services.write_rule(alice.workspace, told, rule=rule)

    comes_for_both(RuleRun.objects.all(), succeed_meanwhile)

    rule.refresh_from_db()
    assert rule.triggers.get().kind == "hourly"


def test_others_are_waked_once_a_decision_is_committed(rule, monkeypatch):
    """Within it they would be waited for, while who decides about them waits for us."""
    run, order = runs(rule)[0], []
    monkeypatch.setattr(tasks.services, "wake", lambda run: order.append("waked") or [])

    with transaction.atomic():
        tasks.follow(run)
        order.append("decided")

    assert order[:2] == ["decided", "waked"]
