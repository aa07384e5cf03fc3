"""What is concluded from what an answer leaves out, and what is left to a person."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.auth.models import User
from django.utils.timezone import now

from accounts import services
from accounts.models import (
    Correction,
    Order,
    Position,
    QuarantinedReading,
    Trade,
)
from providers.errors import Refused, Unavailable

from .desk import HERE, again, read, recent, reset
from .rows import a_position, a_trade

pytestmark = pytest.mark.django_db


def test_missing_order_is_looked_up_and_each_outcome_is_its_own(connection, bourse):
    names = ["filled", "cancelled", "absent", "failing", *"abcd"]
    bourse.orders = [recent(name) for name in names]
    read(connection)
    bourse.replace(replace(bourse.order("filled"), status="filled", filled=Decimal(2)))
    bourse.replace(replace(bourse.order("cancelled"), status="cancelled"))
    bourse.orders = [
        o for o in bourse.orders if o.external_id not in ("absent", "failing")
    ]
    failed = Unavailable("Nobody answers")
    bourse.failing = lambda what: failed if what == "find_order failing" else None

    run = read(connection, "periodic")

    states = dict(Order.objects.values_list("external_id", "status"))
    assert {n: states[n] for n in names[:4]} == {
        "filled": "filled",
        "cancelled": "cancelled",
        "absent": "absent",
        "failing": "open",
    }
    assert set(states.values()) == {"filled", "cancelled", "absent", "open"}
    doubted = Order.objects.get(external_id="failing")
    assert "Nobody answers" in doubted.doubt
    assert (run.status, run.error_code) == ("partial", "unavailable")
    changes = Correction.objects.filter(field="status")
    assert {c.subject.split()[1]: c.new for c in changes} == {
        n: states[n] for n in names[:3]
    }


def test_look_up_that_failed_is_tried_again(connection, bourse):
    bourse.orders = [recent("one"), recent("two")]
    read(connection)
    bourse.replace(replace(bourse.order("one"), status="cancelled"))
    bourse.failing = lambda what: Refused("No") if what.startswith("find") else None
    read(connection, "periodic")
    assert Order.objects.get(external_id="one").doubt

    bourse.failing = lambda what: None
    again(connection)
    read(connection, "periodic")

    order = Order.objects.get(external_id="one")
    assert (order.status, order.doubt) == ("cancelled", "")


def test_nothing_is_concluded_where_open_orders_could_not_be_told(connection, bourse):
    bourse.orders = [recent("one")]
    read(connection)
    bourse.orders.clear()
    bourse.failing = lambda what: Refused("No") if what == "open_orders" else None

    run = read(connection)

    assert Order.objects.get().status == "open"
    assert run.status == "partial"
    assert not [c for c in bourse.calls if c.startswith("find")]


def test_reset_of_a_testnet_is_not_taken_for_the_end_of_everything(connection, bourse):
    bourse.orders = [recent(f"o{n}") for n in range(5)]
    bourse.positions = [a_position(f"p{n}") for n in range(4)]
    read(connection)
    reset(bourse)

    run = read(connection)

    assert set(Order.objects.values_list("status", flat=True)) == {"open"}
    assert not Position.objects.exclude(closed_at=None).exists()
    assert run.status == "partial"
    found = {q.external_id: q for q in QuarantinedReading.objects.waiting()}
    assert set(found) == {"trading:orders", "trading:positions"}
    assert len(found["trading:orders"].raw["ids"]) == 5
    assert "gone at once" in Order.objects.first().doubt


def test_person_may_believe_that_everything_is_gone(connection, bourse):
    test_reset_of_a_testnet_is_not_taken_for_the_end_of_everything(connection, bourse)
    alice = User.objects.create(username="alice")

    for row in QuarantinedReading.objects.waiting():
        services.accept_reading(row, user=alice, reason="It was reset")

    assert set(Order.objects.values_list("status", flat=True)) == {"absent"}
    assert not Position.objects.open().exists()
    assert (
        Correction.objects.filter(reason__contains="alice: It was reset").count() == 9
    )
    again(connection)
    assert read(connection).status == "ok"


def test_what_comes_back_leaves_quarantine(connection, bourse):
    bourse.orders = [recent(f"o{n}") for n in range(5)]
    bourse.positions = [a_position(f"p{n}") for n in range(4)]
    there = bourse.orders, bourse.positions
    read(connection)
    reset(bourse)
    read(connection)
    bourse.orders, bourse.positions = there

    assert read(connection).status == "ok"

    assert not QuarantinedReading.objects.waiting().exists()
    assert not Order.objects.exclude(doubt="").exists()


def test_positions_closed_by_trades_are_closed(connection, bourse):
    bourse.trades = [
        a_trade("t", "buy", "1", "1", market=HERE, created=now() - timedelta(days=2))
    ]
    bourse.positions = [a_position(f"p{n}", market=HERE) for n in range(3)]
    read(connection)
    bourse.positions = []
    bourse.trades.append(a_trade("end", "sell", "1", "1", market=HERE, created=now()))

    assert read(connection).status == "ok"

    assert not Position.objects.filter(derived=False).open().exists()
    assert Correction.objects.filter(field="closed", severity="info").count() == 3


def test_trade_told_otherwise_is_kept_as_it_was_and_found(connection, bourse):
    first = a_trade(
        "t", "buy", "1", "10", market=HERE, created=now() - timedelta(days=1)
    )
    bourse.trades = [first]
    read(connection)
    bourse.trades = [replace(first, price=Decimal(11))]

    read(connection, "emergency")

    assert Trade.objects.get().price == Decimal(10)
    found = QuarantinedReading.objects.get()
    assert (found.rule, found.raw["told"]["price"]) == ("rewritten", "11")


def test_asset_that_is_listed_no_more_holds_nothing(connection, bourse):
    read(connection)
    del bourse.balances["A00/8"]

    run = read(connection)

    assert run.status == "ok"
    account = connection.accounts.get(asset="A00/8")
    assert (account.balance.total, account.closed_at) == (0, None)
    assert Correction.objects.get(account=account, field="total").new == "0"


def test_most_assets_gone_at_once_are_doubted_and_believed_a_minute_later(
    connection, bourse
):
    bourse.balances |= {f"C{n}/8": 10 + n for n in range(4)}
    read(connection)
    bourse.balances = {"Q/2": 100_000}

    run = read(connection)

    assert run.status == "partial"
    rules = set(QuarantinedReading.objects.values_list("rule", flat=True))
    assert rules == {"mass_disappearance"}
    account = connection.accounts.get(asset="C3/8")
    assert account.balance.total == 13
    QuarantinedReading.objects.update(created=now() - timedelta(minutes=2))
    assert read(connection).status == "ok"
    account.balance.refresh_from_db()
    assert account.balance.total == 0


def test_answer_that_is_not_complete_empties_nothing(connection, bourse):
    read(connection)
    del bourse.balances["A00/8"]
    bourse.complete = False

    read(connection)

    assert connection.accounts.get(asset="A00/8").balance.total == 5_000
