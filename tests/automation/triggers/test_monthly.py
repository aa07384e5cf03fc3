"""Two triggers of a rule that name the same day, one of them moved away from it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import time_machine

from automation import services
from automation.models import RuleRun

pytestmark = pytest.mark.django_db
ENGLAND = {"calendar": "GB-ENG"}
# Christmas 2026 is a Friday.
BEFORE = {"kind": "monthly", "day": 25, "business_day": "previous", **ENGLAND}
FRIDAY = {"kind": "monthly", "weekday": 5, "nth": "4"}
KEY = "monthly:2026-12-25T09:00 Europe/London"


def at(day, hour=9, minute=1, month=12, year=2026):
    return datetime(year, month, day, hour, minute, tzinfo=UTC)


@pytest.fixture
def written(alice, rule_with):
    """Write a rule with two triggers at the beginning of a month."""

    def write(moment, *triggers):
        alice.fill(alice.main, 100_00)
        with time_machine.travel(moment, tick=False):
            return rule_with(*triggers)

    return write


def live_through(*moments):
    """Let beat look at each moment, carry out what is due, and return its keys."""
    keys = []
    for moment in moments:
        for run in services.dispatch_due_rules(moment):
            services.execute_run(run.pk)
            keys.append(run.key)
    return keys


def change(rule, moment, *triggers):
    told = services.rule_data(rule) | {"triggers": list(triggers)}
    with time_machine.travel(moment, tick=False):
        services.write_rule(rule.workspace, told, rule=rule)


@pytest.mark.parametrize("triggers", [(BEFORE, FRIDAY), (FRIDAY, BEFORE)])
def test_each_fires_on_its_own_day(alice, written, triggers):
    written(at(1), *triggers)

    assert live_through(at(24), at(24, 10), at(25), at(25, 10), at(28), at(29)) == [
        KEY,
        f"{KEY}, too",
    ]
    assert alice.holds(alice.pots[0]) == 20_00


def test_where_neither_is_moved_they_are_one(written):
    written(at(1, month=6, year=2027), BEFORE, FRIDAY)

    days = [at(day, month=6, year=2027) for day in range(23, 29)]
    assert live_through(*days) == ["monthly:2027-06-25T09:00 Europe/London"]


def test_each_fires_where_both_are_looked_at_late(written):
    rule = written(at(1), BEFORE, FRIDAY)

    assert live_through(at(25)) == [f"{KEY}, too"]
    told = rule.runs.values_list("key", "status").order_by("scheduled_for")
    assert list(told) == [(KEY, "missed"), (f"{KEY}, too", "succeeded")]


def test_a_day_that_is_moved_elsewhere_after_it_has_fired_does_not_again(written):
    rule = written(at(1), BEFORE)
    assert live_through(at(24)) == [KEY]

    change(rule, at(24, 12), BEFORE | {"business_day": "next"})

    assert live_through(at(25), at(28), at(29)) == []


def test_the_second_of_two_does_not_fire_again_either(written):
    rule = written(at(1), BEFORE, FRIDAY)
    live_through(at(24), at(25))

    change(rule, at(25, 12), BEFORE, FRIDAY | {"business_day": "next", **ENGLAND})

    assert live_through(at(28), at(29), at(30)) == []


def test_a_run_that_another_trigger_took_over_is_not_its_own(written):
    """Both were replaced while it was under way, and the last of them stands for it."""
    rule = written(at(1), BEFORE, FRIDAY)
    (run,) = services.dispatch_due_rules(at(24))
    after = {"business_day": "next", **ENGLAND}

    change(rule, at(24, 12), FRIDAY | after, BEFORE | {"business_day": "none"})

    run.refresh_from_db()
    assert run.trigger is not None
    assert live_through(at(25), at(28), at(29)) == []
    assert RuleRun.objects.count() == 1
