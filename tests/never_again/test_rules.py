"""Defects of r3vrt/monzo_auto, an automation of bank pots: none may ever be ours.

Read in its source, and some of them run, in 2026; the names are the project's own list.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db.models import F
from django.utils.timezone import now

from accounts.models import Balance, SyncRun, Workspace
from automation import services, tasks
from automation.models import Rule, RuleRun, Transfer, Trigger
from automation.rules import TriggerSpec, next_occurrence
from automation.services import RuleInvalid
from tests.automation.conftest import Person, gbp, leg, sweep

pytestmark = pytest.mark.django_db
SALARY = 2000_00


@pytest.fixture
def autosort(alice) -> Rule:
    """Half to be shared by two pots, after a fixed amount for the first."""
    alice.fill(alice.main, SALARY)
    first, second, third = alice.pots
    return alice.rule(
        "autosort",
        leg(alice.main, "source"),
        leg(first, "priority", strategy="fixed", amount=gbp(100_00)),
        leg(second, "investment", strategy="share", share="0.3"),
        leg(third, "investment", order=1, strategy="share", share="0.7"),
        triggers=[{"kind": "interval", "minutes": 60}],
    )


def share_of(alice: Person, share: object) -> Rule:
    return alice.rule(
        "sweep",
        leg(alice.main, "source", strategy="share", share=share),
        leg(alice.pots[0], "target"),
    )


@pytest.mark.django_db(transaction=True)
def test_schedule_and_run_now_move_the_same(alice, autosort, run):
    """Its queue lost every priority and investment pot that "run now" filled."""
    by_hand = services.preview(autosort, refresh=True)
    Trigger.objects.update(next_at=autosort.created)

    tasks.dispatch_due_rules()

    scheduled = RuleRun.objects.get(trigger_kind="interval")
    assert scheduled.status == "succeeded"
    assert [
        (m["source"], m["target"], m["money"]["minor"]) for m in scheduled.moves
    ] == [(m.source, m.target, str(m.amount)) for m in by_hand.moves]
    assert len(scheduled.moves) == 3


def test_one_percent_is_one_percent(alice, run):
    """Its autosort read "1" percent as a share of 100 %."""
    alice.fill(alice.main, 1000_00)

    run(share_of(alice, "0.01"))

    assert alice.holds(alice.pots[0]) == 10_00


@pytest.mark.parametrize("share", ["50", "1.01", "0", "-0.5", 50, 0.5, "50%"])
def test_sweep_percent_over_one_rejected(alice, share):
    """Its sweep took 50 for fifty times the balance."""
    with pytest.raises(RuleInvalid) as refused:
        share_of(alice, share)

    assert {p.code for p in refused.value.problems} == {"invalid_share"}


@pytest.mark.parametrize("kind", ["monthly", "weekly", "daily"])
def test_monthly_and_weekly_sweeps_are_queued(alice, kind):
    """Its monthly and weekly sweeps were never queued at all."""
    due = now() - timedelta(minutes=2)
    when = {"hour": due.hour, "minute": due.minute}
    days = {"monthly": {"day": due.day}, "weekly": {"weekday": due.isoweekday()}}
    alice.rule(
        "sweep",
        leg(alice.main, "source", strategy="all"),
        leg(alice.pots[0], "target"),
        timezone="UTC",
        triggers=[{"kind": kind, **when, **days.get(kind, {})}],
    )
    Trigger.objects.update(next_at=due.replace(second=0, microsecond=0))

    (run,) = services.dispatch_due_rules()

    assert (run.trigger_kind, run.scheduled_for.minute) == (kind, due.minute)


@pytest.mark.parametrize("day", ["31", "last"])
def test_monthly_fires_on_31(day):
    """Its month had no 31st where the calendar's had none."""
    spec = TriggerSpec("monthly", day=day)
    found = next_occurrence(spec, zone="UTC", after=datetime(2027, 2, 1, tzinfo=UTC))

    assert found.at == datetime(2027, 2, 28, 9, tzinfo=UTC)


def test_manual_runs_by_hand(alice, run):
    """Its manual sweeps answered "not_triggered" to the hand that triggered them."""
    alice.fill(alice.main, 10_00)
    rule = alice.rule(
        "sweep",
        leg(alice.main, "source", strategy="all"),
        leg(alice.pots[0], "target"),
        triggers=[{"kind": "manual"}],
    )

    assert run(rule).status == "succeeded"
    assert alice.holds(alice.pots[0]) == 10_00


@pytest.mark.parametrize(
    ("balance", "share", "moved"),
    [(100, "0.29", 29), (115, "1", 115), (114, "0.5", 57)],
)
def test_penny_exact_split(alice, run, balance, share, moved):
    """It took int(100 * 0.29) = 28 for 29 %."""
    alice.fill(alice.main, balance)

    run(share_of(alice, share))

    assert alice.holds(alice.pots[0]) == moved


def test_small_amounts_are_not_taken_for_pounds(alice, run):
    """It guessed that amounts below 1,000 were pounds: 500 pence became £500."""
    alice.fill(alice.main, 1000_00)
    rule = alice.rule(
        "topup",
        leg(alice.main, "source"),
        leg(alice.pots[0], "target", strategy="fixed", amount=gbp(500)),
    )

    run(rule)

    assert alice.holds(alice.pots[0]) == 500


def test_negative_balance_never_moves(alice, bank, run):
    """Its "all" of an overdrawn account planned a negative transfer."""
    bank.spend(alice.main.external_id, 50_00)
    rule = alice.rule(
        "sweep",
        leg(alice.main, "source", strategy="all"),
        leg(alice.pots[0], "target"),
    )

    done = run(rule)

    assert (done.status, done.moves) == ("skipped_funds", [])
    assert alice.holds(alice.main) == -50_00


def test_payday_is_seen_again_after_its_first_run(alice, bank, run):
    """It compared naive with aware moments: after its first run it never saw a payday."""
    rule = alice.rule(
        "sweep",
        leg(alice.main, "source", strategy="all"),
        leg(alice.pots[0], "target"),
        triggers=[{"kind": "payday", "min_amount": gbp(500_00), "cooldown_days": 0}],
    )
    for salary in (SALARY, SALARY + 1):
        bank.pay(alice.main.external_id, salary, counterparty="ACME")
        alice.sync()
        Trigger.objects.update(next_at=now())
        (due,) = services.dispatch_due_rules()
        assert services.execute_run(due.pk).status == "succeeded"

    assert rule.runs.count() == 2


def test_day_thirty_comes_in_february_too():
    """It asked February for its 30th day, and raised."""
    spec = TriggerSpec("monthly", day="30")
    found = next_occurrence(
        spec, zone="Europe/London", after=datetime(2027, 2, 1, tzinfo=UTC)
    )

    assert found.at == datetime(2027, 2, 28, 9, tzinfo=UTC)


def test_dedupe_static_over_retry(alice, bank, run, orders, moved, let_time_pass):
    """Its dedupe id was the time of day, new at each retry: a retry paid twice."""
    alice.fill(alice.main, 100_00)
    bank.fault("act_then_drop", times=2, **orders)
    run(share_of(alice, "0.5"))
    before = Transfer.objects.get().pk
    for _ in range(4):
        let_time_pass()
        sweep()

    assert Transfer.objects.get().pk == before
    assert list(moved().values()) == [1]
    assert alice.holds(alice.pots[0]) == 50_00


def test_second_leg_failure_recovers(alice, bank, run, orders):
    """Its pot to pot sweep left the money in the account when the second leg failed."""
    alice.fill(alice.pots[0], 80_00)
    rule = alice.rule(
        "sweep",
        leg(alice.pots[0], "source", strategy="all"),
        leg(alice.pots[1], "target"),
    )
    bank.fault("refuse", code="account_unusable", skip=1, **orders)

    run(rule)

    assert alice.holds(alice.pots[0]) == 80_00
    assert alice.holds(alice.main) == 0


@pytest.mark.django_db(transaction=True)
def test_run_once_with_two_accounts(alice, autosort, moved):
    """It queued every rule once per account, and once more after each sync."""
    Trigger.objects.update(next_at=autosort.created)
    for _ in range(3):
        alice.sync()
        tasks.dispatch_due_rules()
        sweep()

    assert RuleRun.objects.count() == 1
    assert list(moved().values()) == [1, 1, 1]


def test_cooldown_only_after_success(alice, bank, run, orders):
    """A payday sweep that failed began its cooldown of seven days all the same."""
    alice.fill(alice.main, 100_00)
    rule = alice.rule(
        "sweep",
        leg(alice.main, "source", strategy="all"),
        leg(alice.pots[0], "target"),
        cooldown_seconds=7 * 86_400,
    )
    bank.fault("refuse", code="account_unusable", **orders)

    assert run(rule, "first", "daily").status == "failed"
    assert run(rule, "second", "daily").status == "succeeded"
    assert run(rule, "third", "daily").status == "skipped_not_due"


def test_failed_run_is_counted(alice, bank, run, orders):
    """Its health looked for a status that nothing wrote: success was always 100 %."""
    alice.fill(alice.main, 100_00)
    bank.fault("refuse", code="account_unusable", **orders)

    run(share_of(alice, "1"))

    failed = RuleRun.objects.get(status="failed")
    assert "0 of 1 moves" in failed.reason
    assert Transfer.objects.get().error_code == "account_unusable"


def test_closed_pot_not_used(alice, bank, run):
    """It skipped deleted pots in syncs, and went on to use their old balance."""
    alice.fill(alice.pots[0], 80_00)
    rule = alice.rule(
        "sweep",
        leg(alice.pots[0], "source", strategy="all"),
        leg(alice.main, "target"),
    )
    bank.do("amend", id=alice.pots[0].external_id, deleted=True)

    done = run(rule)

    assert (done.status, done.moves) == ("skipped_closed", [])
    alice.pots[0].refresh_from_db()
    assert alice.pots[0].closed_at is not None


def test_other_users_goal_pot_ignored(alice, bank):
    """Its query for goal pots found those of other people."""
    elsewhere = Workspace.objects.create(name="elsewhere")
    from_elsewhere = Person(bank, elsewhere, "mallory")

    with pytest.raises(RuleInvalid) as refused:
        alice.rule(
            "autosort",
            leg(alice.main, "source"),
            leg(from_elsewhere.pots[0], "goal", strategy="to_target", target=gbp(1)),
        )
    assert "legs.1.account" in {p.field for p in refused.value.problems}


def test_stale_blocks_money(alice, bank, run):
    """It moved real money on a stored balance of any age, with a warning."""
    alice.fill(alice.main, 100_00)
    alice.sync()
    hour = timedelta(hours=1)
    Balance.objects.update(fetched_at=F("fetched_at") - hour, as_of=F("as_of") - hour)
    bank.fault("5xx", times=100)

    done = run(share_of(alice, "1"), kind="manual")

    assert (done.status, done.moves) == ("skipped_stale", [])
    assert not Transfer.objects.exists()


def test_weekday_convention_single(alice):
    """Its sweeps counted weekdays from 1 and its topups from 0."""
    with time_machine.travel(datetime(2026, 3, 3, 12, tzinfo=UTC), tick=False):
        for kind, source in (("sweep", {"strategy": "all"}), ("topup", {})):
            target = {"strategy": "fixed", "amount": gbp(1)} if kind == "topup" else {}
            alice.rule(
                kind,
                leg(alice.main, "source", **source),
                leg(alice.pots[0], "target", **target),
                triggers=[{"kind": "weekly", "weekday": 1}],
            )
    monday = datetime(2026, 3, 9, 9, tzinfo=UTC)
    assert set(Trigger.objects.values_list("next_at", flat=True)) == {monday}


def test_lower_number_goes_first_everywhere(alice, run):
    """Its sweeps put low numbers first, and its investments high ones."""
    alice.fill(alice.main, 30_00)
    rule = alice.rule(
        "autosort",
        leg(alice.main, "source"),
        leg(alice.pots[0], "priority", order=2, strategy="fixed", amount=gbp(20_00)),
        leg(alice.pots[1], "priority", order=1, strategy="fixed", amount=gbp(20_00)),
    )

    run(rule)

    assert alice.holds(alice.pots[1]) == 20_00
    assert alice.holds(alice.pots[0]) == 10_00


def test_one_sync_per_run_however_many_pots(alice, autosort, run):
    """It asked for all accounts and pots again with every balance: about 61 calls."""
    assert run(autosort).status == "succeeded"

    assert SyncRun.objects.filter(kind="pre_automation").count() == 1
    assert Transfer.objects.count() == 3
