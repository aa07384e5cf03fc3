"""Every way a bank can say no, to a move of one leg and of two: how each part ends."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from accounts.models import Connection
from automation.models import RuleRun, Transfer

from .conftest import leg, sweep

pytestmark = pytest.mark.django_db


@dataclass(frozen=True)
class No:
    """A refusal by name, and what must be seen of it."""

    code: str
    transfer: str
    run: str
    health: str = "ok"
    said: str = ""  # the transfer's error code, where it is another

    def __str__(self) -> str:
        return self.code


ENDS = [
    No("insufficient_funds", "refused", "failed"),
    No("account_unusable", "refused", "failed"),
    No("refused", "refused", "failed"),
]
WAITS = [
    No("authentication_failed", "pending", "running", health="reconnect_needed"),
    No("consent_needed", "pending", "running"),
    No("rate_limited", "pending", "running"),
    No("unavailable", "unknown", "running", said="outcome_unknown"),
]


@pytest.fixture
def two_legs(alice):
    """Alice's rule: empty the first pot into the second, through the account."""
    alice.fill(alice.pots[0], 80_00)
    return alice.rule(
        "sweep",
        leg(alice.pots[0], "source", strategy="all"),
        leg(alice.pots[1], "target"),
    )


@pytest.fixture
def payday(alice):
    """Alice's rule: two sweeps out of one salary are two transfers."""
    alice.fill(alice.main, 100_00)
    return alice.rule(
        "autosort",
        leg(alice.main, "source"),
        leg(alice.pots[0], "investment", strategy="share", share="0.5"),
        leg(alice.pots[1], "investment", order=1, strategy="equal"),
    )


def seen(run):
    """Return how the run, its transfers and the connection are, from the database."""
    run.refresh_from_db()
    rows = run.transfers.order_by("move", "step")
    health = Connection.objects.values_list("health", flat=True).get()
    return run.status, [row.status for row in rows], health


@pytest.mark.parametrize("no", [*ENDS, *WAITS], ids=str)
def test_a_move_of_one_leg_that_is_refused(no, bank, alice, topup, run, orders, moved):
    bank.fault("refuse", code=no.code, times=50, **orders)

    done = run(topup)

    assert seen(done) == (no.run, [no.transfer], no.health)
    row = Transfer.objects.get()
    assert row.error_code == (no.said or no.code)
    assert len(row.error) > 10
    assert list(moved().values()) == [0]
    assert (alice.holds(alice.main), alice.holds(alice.pots[0])) == (1000_00, 0)


@pytest.mark.parametrize("no", ENDS, ids=str)
def test_a_move_of_two_legs_whose_first_is_refused_ends_where_it_began(
    no, bank, alice, two_legs, run, orders, moved
):
    bank.fault("refuse", code=no.code, times=50, **orders)

    done = run(two_legs)

    assert seen(done) == ("failed", ["refused", "expired"], "ok")
    first, second = Transfer.objects.order_by("step")
    assert (first.error_code, second.error_code) == (no.code, "dependency_failed")
    assert set(moved().values()) == {0}
    assert alice.holds(alice.pots[0]) == 80_00


@pytest.mark.parametrize("no", WAITS, ids=str)
def test_a_move_of_two_legs_whose_first_may_yet_be_made_waits_whole(
    no, bank, alice, two_legs, run, orders, moved
):
    bank.fault("refuse", code=no.code, times=50, **orders)

    done = run(two_legs)

    assert seen(done) == ("running", [no.transfer, "pending"], no.health)
    assert set(moved().values()) == {0}
    assert alice.holds(alice.pots[0]) == 80_00


@pytest.mark.parametrize("no", ENDS, ids=str)
def test_a_move_of_two_legs_whose_second_is_refused_brings_the_money_back(
    no, bank, alice, two_legs, run, orders, moved
):
    held = alice.holds(alice.main)
    bank.fault("refuse", code=no.code, skip=1, **orders)

    done = run(two_legs)

    assert seen(done) == ("failed", ["reversed", "refused", "done"], "ok")
    assert Transfer.objects.get(step=1).error_code == no.code
    assert sorted(moved().values()) == [0, 1, 1]
    assert alice.holds(alice.pots[0]) == 80_00
    assert (alice.holds(alice.main), alice.holds(alice.pots[1])) == (held, 0)


@pytest.mark.parametrize("no", ENDS, ids=str)
def test_money_that_can_go_neither_on_nor_back_is_stranded_and_a_person_is_called(
    no, bank, alice, two_legs, run, orders
):
    bank.fault("refuse", code=no.code, skip=1, times=50, **orders)

    done = run(two_legs)

    assert seen(done) == ("stranded", ["done", "refused", "stranded"], "ok")
    assert Transfer.objects.get(step=2).needs_person
    assert alice.holds(alice.main) == 80_00


@pytest.mark.parametrize("no", WAITS, ids=str)
def test_a_move_that_waited_is_made_once_when_the_bank_says_yes(
    no, bank, alice, two_legs, run, orders, moved, let_time_pass
):
    bank.fault("refuse", code=no.code, times=2, **orders)
    done = run(two_legs)
    for _ in range(2):
        alice.sync()  # a person reconnects, or time heals
        let_time_pass()
        sweep()

    assert seen(done) == ("succeeded", ["done", "done"], "ok")
    assert set(moved().values()) == {1}
    assert alice.holds(alice.pots[1]) == 80_00


@pytest.mark.parametrize("no", ENDS, ids=str)
def test_a_payday_whose_transfers_are_all_refused_ends_by_itself(
    no, bank, alice, payday, run, orders
):
    bank.fault("refuse", code=no.code, times=50, **orders)

    done = run(payday)

    assert seen(done) == ("failed", ["refused", "refused"], "ok")
    assert done.finished_at is not None
    assert "0 of 2" in done.reason
    assert alice.holds(alice.main) == 100_00


def test_a_refusal_without_a_name_is_one(bank, alice, payday, run, orders):
    bank.fault("refuse", times=50, **orders)

    assert seen(run(payday))[:2] == ("failed", ["refused", "refused"])


@pytest.mark.parametrize("no", WAITS[:3], ids=str)
def test_what_is_never_allowed_ends_when_the_plan_is_too_old(
    no, bank, alice, topup, run, orders, let_time_pass
):
    bank.fault("refuse", code=no.code, times=None, **orders)
    done = run(topup)
    Transfer.objects.update(expires_at=done.created)
    let_time_pass()
    sweep()

    assert seen(done)[:2] == ("failed", ["expired"])
    row = Transfer.objects.get()
    assert row.error_code == "plan_expired"
    assert RuleRun.objects.unfinished().count() == 0
