"""Runs that move nothing yet, or nothing at all, and say why."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils.timezone import now

from automation import services
from automation.models import RuleRun, Transfer

from .conftest import gbp, leg
from .people import again, demand, minor, steps, synced

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


# -- dry runs


@pytest.fixture(params=["workspace", "installation"])
def dry(request, workspace, settings):
    if request.param == "installation":
        settings.DRY_RUN = True
    else:
        workspace.dry_run = True
        workspace.save()


def test_a_dry_run_explains_and_moves_nothing(dry, alice, topup, run):
    seen = run(demand(topup, cooldown_seconds=3600))

    assert (seen.status, seen.outcome, seen.dry) == ("nothing_to_do", "planned", True)
    assert "£300.00" in seen.reason
    assert minor(seen) == [300_00]
    assert seen.trace
    topup.refresh_from_db()
    assert topup.last_success_at is None
    assert not Transfer.objects.exists()
    assert alice.holds(alice.pots[0]) == 0


def test_a_dry_run_asks_nobody(dry, topup, run):
    assert run(demand(topup, approval="always")).status == "nothing_to_do"


# -- money that is short


def test_a_short_run_waits_for_the_next_sync_that_brings_something(alice, run):
    alice.fill(alice.main, 10_00)
    rule = alice.rule(
        "topup",
        leg(alice.main, "source"),
        leg(alice.pots[0], "target", strategy="fixed", amount=gbp(50_00)),
        on_short="retry_next",
    )
    short = run(rule, kind="daily")
    assert (short.status, short.outcome) == ("due", "skipped_funds")
    assert again(short).attempts == 0  # not due: nobody looks in vain
    synced(alice)
    short.refresh_from_db()
    assert short.next_attempt_at > now()  # that sync brought nothing
    alice.fill(alice.main, 60_00)
    synced(alice)
    assert again(short).status == "succeeded"
    assert again(short).transfers.count() == 1
    assert alice.holds(alice.pots[0]) == 50_00


@pytest.mark.parametrize("kind", ["autosort", "sweep"])
def test_a_run_that_finds_nothing_to_spare_waits_like_one_that_finds_a_penny(
    kind, alice, run
):
    fixed = {"strategy": "fixed", "amount": gbp(50_00)}
    gives, gets = (fixed, {}) if kind == "sweep" else ({}, fixed)
    alice.fill(alice.main, 100_00)
    rule = alice.rule(
        kind,
        leg(alice.main, "source", keep=gbp(100_00), **gives),
        leg(alice.pots[0], "target" if kind == "sweep" else "priority", **gets),
        on_short="retry_next",
    )
    short = run(rule, kind="daily")
    assert (short.status, short.outcome) == ("due", "skipped_funds")

    alice.fill(alice.main, 500_00)
    synced(alice)

    assert again(short).status == "succeeded"
    assert alice.holds(alice.pots[0]) == 50_00


def test_a_short_run_looks_again_when_another_run_brings_something(alice, run):
    alice.fill(alice.main, 10_00)
    alice.fill(alice.pots[1], 60_00)
    wants = alice.rule(
        "topup",
        leg(alice.main, "source"),
        leg(alice.pots[0], "target", strategy="fixed", amount=gbp(50_00)),
        on_short="retry_next",
    )
    brings = alice.rule(
        "sweep",
        leg(alice.pots[1], "source", strategy="all"),
        leg(alice.main, "target"),
    )
    short = run(wants, kind="daily")
    brought = run(brings)
    waits_until = again(short).next_attempt_at
    assert waits_until > now()

    services.wake(RuleRun.objects.get(pk=brought.pk))
    assert again(short).next_attempt_at == waits_until  # moved nothing just now
    services.wake(brought)

    assert again(short).status == "succeeded"
    assert alice.holds(alice.pots[0]) == 50_00


def test_a_run_that_stays_short_ends_when_it_is_too_late(alice, run, let_time_pass):
    rule = alice.rule(
        "topup",
        leg(alice.main, "source"),
        leg(alice.pots[0], "target", strategy="fixed", amount=gbp(50_00)),
        on_short="retry_next",
    )
    short = run(rule, kind="daily")
    assert short.next_attempt_at <= short.scheduled_for + 6 * HOUR
    RuleRun.objects.update(scheduled_for=now() - 6 * HOUR)
    let_time_pass()

    ended = again(short)

    assert ended.status == "skipped_funds"
    assert ended.reason == short.reason


# -- whatever is decided leaves a trace


def test_a_run_that_is_not_even_planned_says_why(topup, run):
    topup.enabled = False
    topup.save()

    off = run(topup)

    assert (off.status, off.outcome) == ("skipped_disabled", "skipped_disabled")
    assert [(step["step"], step["text"]) for step in off.trace] == [
        ("disabled", "This rule is disabled")
    ]


def test_a_rule_that_cools_down_says_until_when(topup, run):
    demand(topup, cooldown_seconds=3600, last_success_at=now())

    cool = run(topup, kind="daily")

    assert cool.status == "skipped_not_due"
    assert "Cooling down until" in cool.trace[0]["text"]


def test_a_run_that_nobody_began_in_time_says_so(topup, run):
    late = run(topup, kind="daily", scheduled_for=now() - 7 * HOUR)

    assert late.status == "missed"
    assert steps(late) == ["missed"]


@pytest.mark.parametrize("fault", ["refuse", "drop_before"])
def test_a_run_that_fails_starts_no_cooldown(fault, bank, topup, run, orders):
    bank.fault(fault, times=None, **orders)
    assert run(demand(topup, cooldown_seconds=3600), kind="daily").status != "succeeded"

    topup.refresh_from_db()
    assert topup.last_success_at is None
