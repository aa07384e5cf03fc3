"""What rules rest on and lack is told for as long as that lasts."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils.timezone import now

from accounts.models import Account, Condition, Connection, Discrepancy
from accounts.services import events
from automation.models import Rule, Transfer

from .conftest import gbp, leg

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def nobody_delivers_by_themselves(monkeypatch) -> None:
    monkeypatch.setattr("accounts.tasks.publish", lambda *_: None)


def told(kind: str) -> list[str]:
    """Return what is said of all conditions of this kind that last now."""
    events.look_for_conditions()
    rows = Condition.objects.filter(kind=kind).order_by("pk")
    return [row.text for row in rows if row.edge.holds]


def payday(person) -> Rule:
    return person.rule(
        "autosort",
        leg(person.main, "source"),
        leg(person.pots[0], "priority", strategy="fixed", amount=gbp(1)),
        triggers=[{"kind": "payday", "min_amount": gbp(500_00)}],
    )


def bills(person) -> Rule:
    return person.rule(
        "autosort",
        leg(person.main, "source"),
        leg(person.pots[0], "bills", strategy="replenish"),
    )


def later(hours: int) -> None:
    """Let what was read be that old."""
    for row in Account.objects.exclude(movements_read_at=None):
        row.movements_read_at -= hours * HOUR
        row.save(update_fields=["movements_read_at"])


@pytest.mark.parametrize("needs", [payday, bills])
def test_a_history_that_a_rule_needs_and_nobody_can_read_is_told(alice, bank, needs):
    rule = needs(alice)
    alice.sync()
    later(3)
    Connection.objects.update(last_success_at=now() - 3 * HOUR)
    assert told("history_unread") == []  # its balances are as old

    bank.fault("5xx", path="/transactions", times=None)
    Connection.objects.update(last_success_at=now())
    (text,) = told("history_unread")

    assert "its history was not read since" in text
    assert str(rule) in text
    bank.calm()
    alice.sync()
    assert told("history_unread") == []


def test_a_history_that_no_rule_needs_may_be_old(alice, topup):
    alice.sync()
    later(3)
    Connection.objects.update(last_success_at=now())

    assert told("history_unread") == []


def floored(person, floor: int) -> Rule:
    person.fill(person.main, 300_00)
    return person.rule(
        "topup",
        leg(person.main, "source", floor=gbp(floor)),
        leg(person.pots[0], "target", strategy="fixed", amount=gbp(10_00)),
    )


def test_what_falls_below_its_floor_after_a_move_is_told(alice, run):
    rule = floored(alice, 200_00)
    assert run(rule).status == "succeeded"
    alice.sync()
    assert told("below_floor") == []

    alice.fill(alice.main, 50_00)
    alice.sync()
    (text,) = told("below_floor")

    assert "£50.00" in text
    assert "£200.00" in text
    alice.fill(alice.main, 250_00)
    alice.sync()
    assert told("below_floor") == []


def test_what_its_owner_spent_where_nothing_was_moved_is_no_news(alice, run):
    floored(alice, 200_00)
    alice.fill(alice.main, 50_00)
    alice.sync()

    assert told("below_floor") == []


def ago(hours: int) -> None:
    for row in Transfer.objects.all():
        row.settled_at -= hours * HOUR
        row.save(update_fields=["settled_at"])


@pytest.mark.parametrize(
    ("hours", "count"), [(24, 0), (40, 1), (9 * 24, 0)], ids=["young", "a night", "old"]
)
def test_what_no_nightly_proof_could_look_at_is_told(topup, run, hours, count):
    assert run(topup).status == "succeeded"
    ago(hours)

    assert len(told("unproved")) == count


def test_what_was_proved_is_told_no_more(alice, topup, run):
    run(topup)
    ago(40)
    assert len(told("unproved")) == 1

    Transfer.objects.update(proved_at=now())

    assert told("unproved") == []


def test_what_was_found_wrong_is_told_as_that(alice, topup, run):
    row = run(topup).transfers.get()
    ago(40)
    Discrepancy.objects.create(
        account=alice.main,
        name="transfer_amount",
        subject=str(row.pk),
        expected=1,
        actual=2,
        last_seen_at=now(),
    )

    assert told("unproved") == []
