"""A rule that goes after another: once for each success, and never in a circle."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import TestCase
from django.utils.timezone import now

from automation import services, tasks
from automation.models import Rule, RuleRun
from automation.services import RuleInvalid
from tests.automation.conftest import gbp

from .conftest import beat, look, look_later

pytestmark = pytest.mark.django_db


@pytest.fixture
def first(alice, rule_with) -> Rule:
    alice.fill(alice.main, 100_00)
    return rule_with()


def after(rule, **more):
    return {"kind": "after_rule", "rule": str(rule.pk), **more}


def carry_out(rule, key="one", kind="manual"):
    """Let a worker carry out a run of `rule`, with all that follows from it."""
    run, _ = services.start_run(rule, key, trigger_kind=kind)
    with TestCase.captureOnCommitCallbacks(execute=True):
        tasks.execute_run(str(run.pk))
    run.refresh_from_db()
    return run


def test_a_success_starts_the_next_rule_once(alice, rule_with, first):
    second = rule_with(after(first), pot=1)
    run = carry_out(first)

    beat()
    beat()

    follower = second.runs.get()
    assert (follower.status, follower.key) == ("succeeded", f"after_rule:{run.pk}")
    assert alice.holds(alice.pots[1]) == 10_00


def test_each_success_has_a_follower_of_its_own(rule_with, first):
    second = rule_with(after(first), pot=1)
    for key in ("one", "two"):
        carry_out(first, key)

    assert len(look()) == second.runs.count() == 2


def test_no_success_is_lost_where_the_clock_was_put_back(rule_with, first):
    second = rule_with(after(first), pot=1)
    second.triggers.update(seen_at=now() + timedelta(hours=1))
    carry_out(first)

    assert len(look()) == 1
    assert look() == look_later() == []


def test_what_was_not_a_success_starts_nothing(alice, bank, rule_with, first, orders):
    rule_with(after(first), pot=1)
    bank.fault("refuse", **orders)

    assert carry_out(first).status == "failed"
    alice.fill(alice.main, 0)
    assert carry_out(first, "two").status == "skipped_funds"
    assert look() == look_later() == []


@pytest.mark.parametrize(("least", "runs"), [(10_00, 1), (10_01, 0)])
def test_it_wants_enough_to_have_moved(rule_with, first, least, runs):
    rule_with(after(first, min_moved=gbp(least)), pot=1)
    carry_out(first)

    assert len(look()) == runs


def test_a_chain_goes_to_its_end(alice, rule_with, first):
    second = rule_with(after(first), pot=1)
    third = rule_with(after(second), pot=2)
    carry_out(first)

    for _ in range(3):
        beat()

    assert [r.runs.get().status for r in (second, third)] == ["succeeded"] * 2


def test_the_next_rule_starts_also_when_nobody_told_it(rule_with, first, run):
    second = rule_with(after(first), pot=1)
    look()
    assert run(first).status == "succeeded"

    assert look() == []
    assert len(look_later()) == second.runs.count() == 1


def test_a_success_before_it_was_written_is_left_alone(rule_with, first, run):
    run(first)
    rule_with(after(first), pot=1)

    assert look() == look_later() == []


def test_a_success_that_is_too_long_ago_is_missed(rule_with, first, run):
    second = rule_with(after(first), pot=1, max_lateness_seconds=60)
    second.triggers.update(seen_at=now() - timedelta(hours=1))
    run(first)
    RuleRun.objects.update(finished_at=now() - timedelta(seconds=61))

    assert look() == []
    assert second.runs.get().status == "missed"


# -- what is refused


def refused(write) -> dict[str, str]:
    with pytest.raises(RuleInvalid) as caught:
        write()
    return {problem.field: problem.code for problem in caught.value.problems}


def rewrite(rule, **more):
    data = services.rule_data(rule) | more
    return services.write_rule(rule.workspace, data, rule=rule)


def test_rules_that_would_start_each_other_are_refused(rule_with, first):
    second = rule_with(after(first), pot=1)
    third = rule_with(after(second), pot=2)

    found = refused(lambda: rewrite(first, triggers=[after(third)]))

    assert found == {"triggers": "circle"}
    assert not first.triggers.exists()
    assert refused(lambda: rewrite(first, triggers=[after(first)])) == found


def test_a_circle_through_a_dependency_or_an_else_is_refused(alice, rule_with, first):
    second = rule_with(after(first), pot=1)

    depends = {"depends_on": [str(second.pk)]}
    assert refused(lambda: rewrite(first, **depends)) == {"depends_on": "circle"}
    rich = {"account": str(alice.main.pk), "field": "available", "op": ">="}
    conditions = {"all": [rich | {"value": gbp(5)}], "else": str(first.pk)}
    found = refused(lambda: rewrite(second, conditions=conditions))
    assert set(found.values()) == {"circle"}


@pytest.mark.parametrize("name", ["absent", "foreign", "archived", "number"])
def test_only_a_rule_of_this_workspace_can_go_before(rule_with, first, name):
    if name == "foreign":
        other = type(first.workspace).objects.create(name="elsewhere")
        Rule.objects.update(workspace=other)
    if name == "archived":
        Rule.objects.update(archived_at=now())
    named = {"absent": "00000000-0000-4000-8000-000000000000", "number": 5}
    trigger = after(first) | ({"rule": named[name]} if name in named else {})

    assert refused(lambda: rule_with(trigger, pot=1)) == {
        "triggers.0.rule": "unknown_rule"
    }


def test_what_moved_is_in_the_asset_of_the_rule_before(rule_with, first):
    wrong = after(first, min_moved={"asset": "EUR/2", "minor": "5"})

    assert refused(lambda: rule_with(wrong, pot=1)) == {
        "triggers.0.min_moved": "wrong_asset"
    }


def test_it_comes_back_as_it_was_written(rule_with, first):
    written = after(first, min_moved=gbp(5_00))
    (told,) = services.rule_data(rule_with(written, pot=1))["triggers"]

    assert told == written | {"min_moved": {**gbp(5_00), "amount": "5.00"}}
