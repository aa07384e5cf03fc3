"""Orders and trades are whole, in order, and read once; four fates are told apart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers import errors
from providers.kraken import Provider
from providers.kraken.paging import PAGE, Stretch, Turned
from providers.kraken.sandbox import Sandbox
from providers.sandbox.inside import sender
from providers.trading import CANCELLED, FILLED, OPEN, PARTIALLY_FILLED, Market, Sought
from providers.wire import drive
from tests.fixtures_still import NOW

from .talking import place

BTC_USD = Market("BTC/USD", "BTC", "USD")


def everything(ask, read, cursor="", since=NOW - timedelta(days=40)):
    """Return all rows page by page, and the last cursor."""
    rows, more = [], True
    while more:
        page = ask(read("all", cursor, now=NOW, since=since))
        rows += page.rows
        cursor, more = page.cursor, page.more
    return rows, cursor


def test_history_of_thousands_is_read_whole_and_once():
    exchange = Sandbox()
    exchange.clock.freeze(NOW)
    (bea,) = exchange.add_customers(["bea"], trades=1234, orders=180, markets=12)
    adapter = Provider(bea.credentials)
    send = sender(adapter, exchange)

    def ask(call):
        exchange.clock.advance(7)
        return drive(call, send)

    trades, cursor = everything(ask, adapter.trades)
    books = exchange.ledger.topic("trades")
    assert [t.external_id for t in trades] == sorted(
        books, key=lambda id: books[id]["time"]
    )
    assert sum(t.fee for t in trades) == sum(Decimal(t["fee"]) for t in books.values())
    assert len({t.market for t in trades}) == 12

    orders, _ = everything(ask, adapter.orders)
    closed = {i for i, o in exchange.ledger.topic("orders").items() if o["closed"]}
    assert len(orders) == len(closed)
    assert {o.external_id for o in orders} == closed

    # Only what is near the end is read again, and nothing of it is another row.
    again, _ = everything(ask, adapter.trades, cursor)
    assert {t.external_id for t in again} <= {t.external_id for t in trades}
    assert len(again) < 60


moments = st.lists(st.integers(0, 400), min_size=1, max_size=260)


@given(moments, st.lists(st.integers(0, 3), max_size=30))
def test_no_row_is_lost_or_doubled_when_others_arrive_between_pages(start, arrivals):
    """Rows have seconds as ids' beginnings; new ones come at the end, at any time."""
    rows = sorted(start)
    arriving, cursor, more, found = iter(arrivals), "", True, []
    while more:
        stretch = Stretch.at(cursor, datetime.fromtimestamp(0, UTC))
        wish = stretch.wish()
        within = [
            (f"{second}-{n}", {"time": second})
            for n, second in enumerate(rows)
            if wish["start"] < second <= wish.get("end", 10**9)
        ][::-1]
        page = dict(within[wish["ofs"] : wish["ofs"] + PAGE])
        newest = max((row["time"] for row in page.values()), default=None)
        new, cursor, more = stretch.take(Turned(page, len(within), newest))
        found += new
        rows += [rows[-1]] * next(arriving, 0)  # in the very second of the last one
    assert len(set(found)) == len(found)
    # What came after the last look is for the next sync, which reads a minute again.
    last = Stretch.at(cursor, NOW).wish()["start"]
    assert set(found) >= {f"{s}-{n}" for n, s in enumerate(rows[: len(start)])}
    assert all(f"{s}-{n}" in found or s > last for n, s in enumerate(rows))


def test_counted_rows_that_do_not_come_are_an_error():
    stretch = Stretch.at("0:100:0:60", NOW)

    with pytest.raises(ValueError, match="missing"):
        stretch.take(Turned({}, 60, None))


def test_four_fates_of_an_order_are_told_apart(exchange, adapter, ask):
    def fate(id):
        found = ask(adapter.find_order(Sought(id, BTC_USD)))
        return found and (found.status, found.filled)

    open_one, part, whole, gone = (place(exchange) for _ in range(4))
    exchange.do("fill_order", order=part, quantity="0.005")
    exchange.do("fill_order", order=whole)
    exchange.do("cancel_order", order=gone)

    assert fate(open_one) == (OPEN, 0)
    assert fate(part) == (PARTIALLY_FILLED, Decimal("0.005"))
    assert fate(whole) == (FILLED, Decimal("0.02"))
    assert fate(gone) == (CANCELLED, 0)
    assert fate("OAAAAA-BBBBB-CCCCCC") is None
    exchange.fault("refuse", code="unavailable")
    with pytest.raises(errors.Unavailable):
        fate(open_one)
    assert {o.external_id for o in ask(adapter.open_orders())} >= {open_one, part}
    assert not {whole, gone} & {o.external_id for o in ask(adapter.open_orders())}


def test_trades_are_told_with_their_fees_and_no_invented_profit(exchange, adapter, ask):
    _, cursor = everything(ask, adapter.trades)
    order = place(exchange)
    exchange.clock.advance(100)
    id = exchange.do("fill_order", order=order, quantity="0.01", price="49999.9")

    *_, found = everything(ask, adapter.trades, cursor)[0]

    assert (found.external_id, found.order_id, found.market) == (id, order, BTC_USD)
    assert (found.quantity, found.price) == (Decimal("0.01"), Decimal("49999.9"))
    assert (found.cost, found.fee) == (Decimal("499.999"), Decimal("1.2500"))
    assert (found.fee_asset, found.maker, found.pnl) == ("USD", True, None)


def test_margin_positions_are_told_with_what_they_would_win(exchange, adapter, ask):
    id = exchange.do(
        "open_position",
        name="alex",
        market="BTC/USD",
        side="sell",
        quantity="0.5",
        price="60000.0",
    )
    exchange.do("mark", position=id, price="61000.0")

    (found,) = ask(adapter.positions())

    assert (found.external_id, found.market, found.side) == (id, BTC_USD, "short")
    assert (found.quantity, found.entry_price) == (Decimal("0.5"), 60000)
    assert (found.pnl, found.pnl_asset) == (Decimal("-500.00"), "USD")
    exchange.do("close_position", position=id)
    assert ask(adapter.positions()) == []


def test_book_that_is_not_kept_is_refused_without_asking(adapter):
    with pytest.raises(errors.Refused):
        next(adapter.trades("XXBTZUSD", "", now=NOW, since=NOW))


def test_exchange_that_is_started_again_remembers_everything(tmp_path):
    first = Sandbox(tmp_path / "books")
    alex = first.demo_world()
    first.do("cancel_order", order=place(first))
    adapter = Provider(alex.credentials)
    told = [drive(adapter.observe(), sender(adapter, first))]
    told += [drive(adapter.open_orders(), sender(adapter, first))]
    first.close()

    again = Sandbox(tmp_path / "books")

    assert again.demo_world() == alex
    assert drive(adapter.observe(), sender(adapter, again)) == told[0]
    assert drive(adapter.open_orders(), sender(adapter, again)) == told[1]
    assert again.ledger.topic("orders") == first.ledger.topic("orders")
    again.close()
