"""What a rule may move at all, counted over its runs, and on what readings."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import OperationalError
from django.db.models import F
from django.utils.timezone import now

from accounts.models import Balance, BalanceSnapshot
from automation import services
from automation.models import RuleRun, Transfer

from .conftest import gbp, leg

pytestmark = pytest.mark.django_db


@pytest.fixture
def daily(alice):
    alice.fill(alice.main, 1000_00)
    return alice.rule(
        "topup",
        leg(alice.main, "source"),
        leg(alice.pots[0], "target", strategy="fixed", amount=gbp(60_00)),
        limits={"per_day": gbp(100_00)},
    )


def test_the_limit_of_a_day_counts_earlier_runs(alice, daily, run):
    run(daily, "one")
    run(daily, "two")
    third = run(daily, "three")

    assert alice.holds(alice.pots[0]) == 100_00
    assert third.status == "skipped_limit"


def test_yesterdays_moves_do_not_count_today(alice, daily, run):
    run(daily, "one")
    Transfer.objects.update(created=F("created") - timedelta(days=1, hours=1))
    run(daily, "two")

    assert alice.holds(alice.pots[0]) == 120_00


def test_a_past_day_counts_what_was_moved_on_it_and_nothing_later(alice, daily, run):
    run(daily, "one")
    accounts = services.simulating.typed_accounts(daily)
    held = {str(alice.main.pk): 1000_00, str(alice.pots[0].pk): 0}

    def played(days):
        at = now() - timedelta(days=days)
        found = services.simulate(daily, accounts, held, at=at)
        return sum(move.amount for move in found.moves)

    assert (played(0), played(30), played(-30)) == (40_00, 60_00, 60_00)


def test_what_is_unclear_counts_as_moved(alice, daily, bank, run, orders):
    bank.fault("drop_before", **orders)
    run(daily, "one")
    Transfer.objects.update(needs_person=True)
    run(daily, "two")

    assert alice.holds(alice.pots[0]) == 40_00


def test_a_kept_share_stays_also_when_it_is_sent(alice, run):
    alice.fill(alice.main, 100_00)
    rule = alice.rule(
        "autosort",
        leg(alice.main, "source", keep_share="0.25"),
        leg(alice.pots[0], "investment", strategy="equal"),
        leg(alice.pots[1], "investment", order=1, strategy="equal"),
    )

    assert run(rule).status == "succeeded"
    assert alice.holds(alice.main) == 25_00


def an_older_reading(seconds: int) -> None:
    ago = timedelta(seconds=seconds)
    Balance.objects.update(fetched_at=F("fetched_at") - ago, as_of=F("as_of") - ago)


@pytest.mark.parametrize(("age", "ends"), [(60, "running"), (1000, "skipped_stale")])
def test_a_pot_may_give_on_an_older_reading_but_not_on_any(age, ends, alice, bank, run):
    alice.fill(alice.pots[0], 50_00)
    alice.sync()
    rule = alice.rule(
        "sweep",
        leg(alice.pots[0], "source", strategy="all"),
        leg(alice.main, "target"),
    )
    an_older_reading(age)
    bank.fault("drop_before", times=None)

    assert run(rule).status == ends


def it_fell_by(account, amount: int) -> None:
    """Let `account` have held that much more just before it was read."""
    balance = Balance.objects.get(account=account)
    before = balance.available + amount
    BalanceSnapshot.objects.create(
        account=account,
        total=before,
        available=before,
        as_of=balance.as_of - timedelta(milliseconds=1),
    )


def test_with_use_floor_an_older_reading_is_spent_with_care(alice, bank, run, orders):
    alice.fill(alice.main, 1000_00)
    alice.sync()
    it_fell_by(alice.main, 300_00)
    rule = alice.rule(
        "sweep",
        leg(alice.main, "source", strategy="all", floor=gbp(200_00)),
        leg(alice.pots[0], "target"),
        on_stale="use_floor",
    )
    an_older_reading(60)
    bank.fault("drop_before", times=None)

    seen = services.preview(rule)

    # 1000 − floor 200 − the largest drop seen, 300
    assert [m.amount for m in seen.moves] == [500_00]


def test_with_use_floor_what_is_planned_on_an_older_reading_is_sent(alice, bank, run):
    alice.fill(alice.main, 1000_00)
    alice.sync()
    it_fell_by(alice.main, 300_00)
    rule = alice.rule(
        "sweep",
        leg(
            alice.main,
            "source",
            strategy="above",
            keep=gbp(500_00),
            floor=gbp(200_00),
        ),
        leg(alice.pots[0], "target"),
        on_stale="use_floor",
    )
    an_older_reading(60)
    bank.fault("drop_before", times=None, method="GET")

    done = run(rule)

    assert done.status == "succeeded", Transfer.objects.get().error
    # What is kept, 500, or the floor 200 and the largest drop 300: both leave 500
    assert alice.holds(alice.pots[0]) == 500_00


def test_a_two_way_target_gives_nothing_back_on_an_older_reading(alice, bank, run):
    alice.fill(alice.main, 2310_50)
    alice.sync()
    rule = two_way(alice)
    an_older_reading(600)
    alice.fill(alice.main, 1400_00)  # spent meanwhile, and nobody has read it
    bank.fault("drop_before", times=None, method="GET")

    done = run(rule)

    assert done.status == "skipped_stale"
    assert alice.holds(alice.main) == 1400_00


def two_way(alice):
    return alice.rule(
        "topup",
        leg(alice.pots[0], "source", floor=gbp(0)),
        leg(
            alice.main,
            "target",
            strategy="balance",
            low=gbp(500_00),
            target=gbp(1000_00),
            high=gbp(2000_00),
        ),
        on_stale="use_floor",
        max_staleness_seconds=900,
    )


def test_what_goes_back_is_sent_on_a_live_reading_and_what_has_a_floor_on_an_older(
    alice,
):
    rule = two_way(alice)
    pot, main = alice.pots[0], alice.main
    guarded = alice.rule(
        "topup",
        leg(main, "source", floor=gbp(0)),
        leg(pot, "target", strategy="fixed", amount=gbp(1_00)),
        on_stale="use_floor",
        max_staleness_seconds=900,
    )

    def limit(rule, source, target):
        return services.funds.allowed(rule, Transfer(source=source, target=target))

    assert limit(rule, main, pot) == 5
    assert limit(rule, pot, main) == limit(guarded, main, pot) == 900


def test_a_database_that_stumbles_is_asked_again(alice, topup, run, moved, monkeypatch):
    stumbles = [OperationalError("deadlock detected")]
    book = services.rows.book

    def stumble(*args):
        if stumbles:
            raise stumbles.pop()
        return book(*args)

    monkeypatch.setattr(services.rows, "book", stumble)

    assert run(topup).status == "succeeded"
    assert list(moved().values()) == [1]
    assert RuleRun.objects.get().finished_at
