"""What a sync keeps of orders, trades and positions."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import DatabaseError, transaction
from django.utils.timezone import now

from accounts import services
from accounts.models import (
    BookCursor,
    Connection,
    Correction,
    Order,
    Position,
    Trade,
)
from accounts.services.instant.answering import row_answer
from accounts.services.trading import keys
from accounts.services.trading.hearing import hear
from providers.errors import AuthenticationFailed, Refused, Unavailable

from .desk import HERE, read
from .exchange import history
from .rows import a_position, a_trade, an_order

pytestmark = pytest.mark.django_db


def test_first_sync_keeps_everything_as_it_is_told(connection, bourse):
    bourse.orders, bourse.trades = history(3, 250, 30)
    bourse.balances |= {"A01/8": 1, "A02/8": 1}
    bourse.positions = [a_position(mark_price=Decimal("1E-18"), pnl=Decimal("-3.50"))]

    run = read(connection)

    assert (run.status, run.error) == ("ok", "")
    assert Order.objects.count() == 30
    assert Trade.objects.count() == 250
    assert {t.external_id: t.cost for t in Trade.objects.all()} == {
        t.external_id: t.cost for t in bourse.trades
    }
    position = Position.objects.get(derived=False)
    assert (position.mark_price, position.pnl) == (Decimal("1E-18"), Decimal("-3.5"))
    assert not Correction.objects.exists()
    assert (run.progress["trades"], run.progress["found"]) == (250, 281)


def test_next_sync_asks_for_what_is_new_only(connection, bourse):
    bourse.orders, bourse.trades = history(1, 150, 0)
    read(connection)
    bourse.calls.clear()
    new = a_trade("new", "buy", "1", "1", market=HERE, created=now())
    bourse.trades.append(new)

    read(connection)

    assert [c for c in bourse.calls if c.startswith("trades")] == ["trades A00Q 150"]
    assert Trade.objects.filter(external_id="new").exists()


def test_periodic_sync_reads_trading_at_its_own_pace(connection, bourse):
    bourse.orders, bourse.trades = history(1, 5, 5)
    assert read(connection, "periodic").progress is not None
    connection.refresh_from_db()

    assert services.sync([connection], "periodic")[0].status == "ok"
    connection.trading_read_at -= timedelta(seconds=1801)
    connection.save()
    bourse.calls.clear()
    assert read(connection, "periodic").progress is not None

    assert not [c for c in bourse.calls if c.startswith("orders")]
    assert "open_orders" in bourse.calls


def test_rules_do_not_wait_for_orders_and_trades(connection, bourse):
    assert services.sync([connection], "pre_automation")[0].status == "ok"
    assert bourse.calls == ["observe"]


def test_database_refuses_to_change_a_trade(connection, bourse):
    bourse.trades = [a_trade("t", "buy", "1", "10", market=HERE, created=now())]
    read(connection)

    for act in (
        lambda: Trade.objects.update(price=1),
        lambda: Trade.objects.all().delete(),
    ):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            act()


def test_rejected_key_ends_the_reading_with_its_reason(connection, bourse):
    bourse.failing = lambda what: (
        AuthenticationFailed("No such key") if what == "positions" else None
    )

    run = read(connection)

    assert (run.status, run.error_code) == ("partial", "authentication_failed")
    connection.refresh_from_db()
    assert connection.health == "reconnect_needed"


def test_book_that_fails_holds_up_no_other(connection, bourse):
    bourse.orders, bourse.trades = history(2, 40, 0)
    bourse.balances["A01/8"] = 1
    bourse.failing = lambda what: (
        Refused("Delisted") if what.startswith("trades A00Q") else None
    )

    run = read(connection)

    assert run.status == "partial"
    assert set(Trade.objects.values_list("market", flat=True)) == {"A01Q"}
    assert BookCursor.objects.get(what="trades", book="A00Q").error == "Delisted"
    bourse.failing = lambda what: None
    assert read(connection).status == "ok"
    assert Trade.objects.count() == 40


def test_order_older_than_the_histories_is_found_by_its_trades(connection, bourse):
    old = an_order(
        "old", market=HERE, status="filled", created=now() - timedelta(days=90)
    )
    bourse.orders = [old]
    bourse.trades = [
        a_trade(
            "t",
            "buy",
            "1",
            "1",
            market=HERE,
            order_id="old",
            created=now() - timedelta(days=3),
        )
    ]

    assert read(connection, "emergency").status == "ok"

    assert Order.objects.get().external_id == "old"


def test_gain_of_a_sale_and_what_is_kept_are_worked_out(connection, bourse):
    day = timedelta(days=1)
    bourse.balances = {"A00/8": 10**8, "Q/2": 100}
    bourse.trades = [
        a_trade("b", "buy", "2", "10", market=HERE, created=now() - 2 * day),
        a_trade("s", "sell", "1", "15", market=HERE, created=now() - day),
    ]

    read(connection)

    assert Trade.objects.get(external_id="s").gain.amount == Decimal(5)
    derived = Position.objects.get(derived=True)
    assert (derived.quantity, derived.entry_price) == (Decimal(1), Decimal(10))
    bourse.balances["A00/8"] = 0
    bourse.trades.append(a_trade("e", "sell", "1", "9", market=HERE, created=now()))
    read(connection)
    derived.refresh_from_db()
    assert derived.closed_at is not None


def test_gain_of_a_sale_that_a_stream_told_is_worked_out_next_time(connection, bourse):
    bourse.balances = {"A00/8": 2 * 10**8, "Q/2": 100}
    day = timedelta(days=1)
    bought = a_trade("b", "buy", "2", "10", market=HERE, created=now() - day)
    sold = a_trade("s", "sell", "1", "15", market=HERE, created=now())
    bourse.trades = [bought]
    read(connection)
    hear(connection, [], [sold])
    bourse.balances["A00/8"] = 10**8
    bourse.trades.append(sold)
    connection.refresh_from_db()
    connection.trading_read_at -= timedelta(minutes=31)
    connection.save()

    assert read(connection, "periodic").progress["found"] == 0

    assert Trade.objects.get(external_id="s").gain.amount == Decimal(5)


def test_key_that_may_withdraw_is_known(connection, bourse):
    bourse.may = replace(
        bourse.may, withdraw=True, trade=True, notes=("From anywhere",)
    )

    found = services.test_connection(connection)

    assert found.warnings == [services.MAY_WITHDRAW, services.MAY_TRADE]
    assert found.may == ["read", "list_trades", "trade", "withdraw"]
    connection.refresh_from_db()
    assert connection.key_may_withdraw


def test_keys_are_looked_at_daily_and_their_end_is_known(connection, bourse):
    ends = now() + timedelta(days=5)
    bourse.may = replace(bourse.may, ends=ends)

    assert services.read_keys() == 1
    assert services.read_keys() == 0  # not again today

    connection.refresh_from_db()
    assert connection.consent_expires_at == ends
    assert connection.consent_days_left == 4
    Connection.objects.update(key_read_at=now() - timedelta(days=2))
    assert services.read_keys() == 1


def test_keys_that_are_many_or_do_not_answer_keep_none_from_its_turn(
    connection, bourse, monkeypatch
):
    monkeypatch.setattr(keys, "TURN", 0.0)
    told = {"workspace": connection.workspace, "provider": connection.provider}
    Connection.objects.create(**told)
    Connection.objects.create(**told, failures=1)

    assert [services.read_keys() for _ in range(3)] == [1, 1, 0]
    unread = Connection.objects.filter(key_read_at=None)
    assert [row.failures for row in unread] == [1]


def test_key_that_cannot_be_read_is_asked_about_again(connection, bourse):
    bourse.failing = lambda what: Unavailable() if what == "permissions" else None

    assert services.read_keys() == 0

    connection.refresh_from_db()
    assert connection.key_read_at is None


def test_balance_is_not_called_updating_while_trades_are_read(connection, bourse):
    [run] = services.sync([connection], "manual")

    assert run.status == "running"
    account = connection.accounts.first()
    assert not row_answer(account).updating
    services.carry_on(run.pk)
