"""The stream tells what is true, and ends there whatever happens to its frames."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from providers import errors
from providers.kraken import Provider
from providers.kraken.sandbox import Sandbox
from providers.kraken.stream.holds import Holds
from providers.money import Asset
from providers.sandbox.wire import Answer
from providers.trading import CANCELLED, FILLED, PARTIALLY_FILLED
from tests.fixtures_still import NOW

from .talking import Line, truth


@pytest.fixture
def line(exchange, adapter):
    line = Line(exchange, adapter)
    line.wait(3)
    assert line.feed.live
    assert told(line) == truth(exchange)
    return line


def told(line):
    return {id: (r.total, r.available) for id, r in line.readings.items()}


def place(exchange, **changes):
    wish = {"market": "BTC/USD", "side": "buy", "quantity": "0.02", "price": "50000.0"}
    return exchange.do("place_order", name="alex", **{**wish, **changes})


def test_first_picture_is_whole_and_took_one_look(exchange, line):
    assert line.looks == 1
    assert line.tells[0].whole
    assert len(line.orders) == 2
    assert line.notes == [] or all(note.online for note in line.notes)


@pytest.mark.parametrize("of_wallet", [False, True])
@pytest.mark.parametrize("code", ["ZEUR", "ZUSD"])  # some dollars are earning elsewhere
def test_money_that_comes_in_is_told_at_once_and_without_rest(
    exchange, line, code, of_wallet
):
    exchange.configure(extra={"wallet_balances": of_wallet})
    before = exchange.requests
    for amount in ("1", "2.5", "0.0001"):
        exchange.do("deposit", name="alex", code=code, amount=amount)
        line.pump()
        assert told(line) == truth(exchange)

    assert exchange.requests == before
    assert line.readings[f"AA01N84G00000001:{code}"].as_of is not None


def test_holds_stay_true_though_the_channel_has_none(exchange, line):
    id = place(exchange)
    line.wait(7)
    assert told(line) == truth(exchange)

    exchange.do("fill_order", order=id, quantity="0.005")
    line.wait(7)
    assert told(line) == truth(exchange)
    assert line.orders[id].status == PARTIALLY_FILLED

    exchange.do("cancel_order", order=id)
    line.wait(7)
    assert told(line) == truth(exchange)
    assert line.orders[id].status == CANCELLED
    assert line.orders[id].market.name == "BTC/USD"  # though a cancel has no symbol


def test_holds_that_rest_has_proved_are_told_at_once_and_without_rest(exchange, line):
    before = exchange.requests
    id = place(exchange)  # of the two orders that were open before, one buys
    line.pump()
    assert told(line) == truth(exchange)

    exchange.do("fill_order", order=id, quantity="0.005")
    line.pump()
    assert told(line) == truth(exchange)

    exchange.do("cancel_order", order=id)
    line.pump()
    assert told(line) == truth(exchange)
    assert exchange.requests == before


def test_what_was_worked_out_of_holds_is_compared_with_rest_each_minute(exchange, line):
    place(exchange)
    line.wait(50)
    assert line.looks == 1

    line.wait(20)
    assert line.looks == 2


def test_holds_are_not_worked_out_once_rest_told_another_sum(exchange, adapter):
    exchange.configure(extra={"holds_fee": True})
    line = Line(exchange, adapter)
    line.wait(3)
    tells = len(line.tells)
    place(exchange)
    line.pump()
    assert len(line.tells) == tells

    line.wait(7)
    assert told(line) == truth(exchange)


def test_fill_that_only_one_channel_tells_is_looked_at(exchange, line):
    id = place(exchange)
    line.pump()
    exchange.told_of_entries = lambda name, entries: None
    exchange.do("fill_order", order=id)
    line.wait(10)

    assert told(line) == truth(exchange)


def test_trade_is_told_with_its_order_and_fee(exchange, line):
    order = place(exchange, side="sell", price="64000.0")
    id = exchange.do("fill_order", order=order)
    line.pump()

    trade = line.trades[id]
    assert (trade.order_id, trade.side, trade.quantity) == (
        order,
        "sell",
        Decimal("0.02"),
    )
    assert (trade.cost, trade.fee, trade.fee_asset) == (1280, Decimal("3.2"), "USD")
    assert (trade.maker, trade.pnl) == (True, None)
    assert line.orders[order].status == FILLED


def test_stream_and_rest_tell_the_same_orders_and_trades(exchange, adapter, line, ask):
    order = place(exchange, client_id="mine")
    exchange.clock.advance(1)
    trade = exchange.do("fill_order", order=order, quantity="0.01")
    line.wait(7)
    since = {"now": NOW, "since": NOW}

    (by_rest,) = (o for o in ask(adapter.open_orders()) if o.external_id == order)
    mine = line.orders[order]
    for name in ("market", "side", "kind", "status", "quantity", "filled", "cost"):
        assert getattr(mine, name) == getattr(by_rest, name), name
    assert (mine.created, mine.price, mine.client_id) == (
        by_rest.created,
        by_rest.price,
        "mine",
    )
    rows = {t.external_id: t for t in ask(adapter.trades("all", "", **since)).rows}
    assert line.trades[trade] == rows[trade]


def test_staking_is_seen_in_both_accounts(exchange, line):
    exchange.do("stake", name="alex", code="DOT", into="DOT28.S", amount="20")
    line.wait(7)
    assert told(line) == truth(exchange)

    line.wait(60)
    assert line.looks == 2  # comparing costs none


def test_asset_that_rest_calls_otherwise_is_asked_about_twice_and_no_more(
    exchange, adapter
):
    exchange.do("deposit", name="alex", code="LINK", amount="1")
    told_of = exchange.balance_ex

    def without(asked):
        answer = json.loads(told_of(asked).body)
        answer["result"].pop("LINK")
        return Answer.of(answer)

    exchange.spoken.exact["POST", "/0/private/BalanceEx"] = without
    line = Line(exchange, adapter)
    line.wait(120)

    assert line.feed.live
    assert line.looks == 2


def test_asset_that_nobody_can_name_leaves_the_others_live(exchange, adapter):
    told_of = exchange.assets

    def without(asked):
        answer = json.loads(told_of(asked).body)
        answer["result"].pop("ADA")
        return Answer.of(answer)

    exchange.spoken.exact["GET", "/0/public/Assets"] = without
    line = Line(exchange, adapter)
    line.wait(60)

    assert line.feed.live
    assert line.looks <= 3
    rest = {id: held for id, held in truth(exchange).items() if not id.endswith(":ADA")}
    assert told(line) == rest


def test_quiet_stream_asks_rest_for_nothing(exchange, line):
    before = exchange.requests
    line.wait(300)

    assert exchange.requests == before
    assert line.feed.live


def test_new_asset_gets_its_account(exchange, line):
    exchange.do("deposit", name="alex", code="LINK", amount="12.5")
    line.wait(7)

    assert told(line) == truth(exchange)
    assert "AA01N84G00000001:LINK" in line.readings


@pytest.mark.parametrize("action", ["frame_drop", "frame_reorder"])
def test_gap_is_closed_by_a_new_snapshot_without_a_new_connection(
    exchange, line, action
):
    exchange.fault(action, value="balances", times=1)
    exchange.do("deposit", name="alex", code="ZEUR", amount="1")
    exchange.do("deposit", name="alex", code="ZEUR", amount="2")
    line.wait(8)

    assert told(line) == truth(exchange)
    assert line.ends == []


def test_frame_that_is_heard_twice_counts_once(exchange, line):
    exchange.fault("frame_duplicate", times=5)
    exchange.do("deposit", name="alex", code="ZEUR", amount="1")
    line.pump()

    assert told(line) == truth(exchange)


def test_last_frame_is_missed_when_snapshots_are_compared(exchange, line):
    exchange.fault("frame_drop", value="ledger_id")
    exchange.do("deposit", name="alex", code="ZEUR", amount="1")
    line.wait(5)
    assert told(line) != truth(exchange)

    line.wait(40)
    assert told(line) == truth(exchange)


def test_order_whose_end_was_missed_is_looked_up(exchange, line):
    order = place(exchange)
    line.wait(7)
    exchange.fault("frame_drop", value="exec_type", times=2)
    exchange.do("fill_order", order=order)
    line.wait(45)

    assert line.orders[order].status == FILLED
    assert told(line) == truth(exchange)


def test_maintenance_is_told_and_everything_is_read_anew_afterwards(exchange, line):
    exchange.do("maintain")
    line.pump()
    assert not line.feed.live
    assert not line.notes[-1].online

    exchange.do("deposit", name="alex", code="ZUSD", amount="5")
    exchange.do("maintain", mode="online")
    line.wait(7)
    assert line.notes[-1].online
    assert line.feed.live
    assert told(line) == truth(exchange)


@pytest.mark.parametrize("mode", ["cancel_only", "post_only"])
def test_market_that_takes_fewer_orders_leaves_balances_as_true_as_ever(
    exchange, line, mode
):
    exchange.do("maintain", mode=mode)
    exchange.do("deposit", name="alex", code="ZEUR", amount="1")
    line.pump()

    assert line.feed.live
    assert told(line) == truth(exchange)


def test_snapshot_that_does_not_come_ends_the_connection(exchange, adapter):
    exchange.fault("frame_drop", value="snapshot", times=4)
    line = Line(exchange, adapter)
    line.wait(4)
    assert line.ends == []
    assert not line.feed.live

    line.wait(10)
    assert line.ends == ["No snapshot came"]
    assert told(line) == truth(exchange)


def test_token_must_be_used_in_time_and_lives_as_long_as_its_subscription(
    exchange, line
):
    exchange.do("expire_tokens")
    exchange.fault("frame_drop", value="ledger_id")
    exchange.do("deposit", name="alex", code="ZEUR", amount="1")
    exchange.do("deposit", name="alex", code="ZEUR", amount="1")
    line.wait(8)
    assert (line.ends, told(line)) == ([], truth(exchange))

    late = exchange.connect
    exchange.connect = lambda asked: exchange.do("expire_tokens") or late(asked)
    line.end("test")
    line.connect()
    assert line.ends[-1].endswith("ESession:Invalid session")


def test_key_that_may_not_stream_is_told_so(exchange, line):
    exchange.do("permit", name="alex", permissions=["query-funds"])
    line.end("test")
    line.connect()
    assert line.ends[-1] == "consent_needed"

    exchange.do("permit", name="alex", permissions=["query-funds", "access-ws"])
    line.connect()
    assert (
        line.ends[-1] == "consent_needed"
    )  # it may not see orders, so no holds either


@pytest.mark.parametrize(
    "text",
    [
        "<html>",
        "[]",
        "3",
        '{"error": "Malformed request", "success": false}',
        '{"channel": "balances", "type": "update", "data": [{}], "sequence": 2}',
        '{"channel": "balances", "type": "update", "data": [], "sequence": "2"}',
        '{"channel": "balances", "type": "snapshot", "data": [{"asset": "BTC", "balance": NaN}], "sequence": 1}',
        '{"channel": "status", "type": "update", "data": []}',
        '{"channel": "executions", "type": "update", "data": [{"order_id": "O"}], "sequence": true}',
    ],
)
def test_frame_without_sense_ends_the_connection_by_its_name(line, text):
    with pytest.raises(errors.UnexpectedResponse):
        list(line.feed.heard(text, NOW))


def test_every_digit_of_a_number_counts(exchange, line):
    exchange.do("deposit", name="alex", code="ZEUR", amount="900719925474.0993")
    line.pump()

    assert told(line) == truth(exchange)


def test_connection_ids_and_heartbeats_are_as_documented(exchange, adapter):
    talk = Line(exchange, adapter).talk
    assert talk.facts["id"] > 2**53
    exchange.clock.advance(1)
    exchange.beat_all()

    assert [json.loads(frame.text) for frame in talk.ready()] == [
        {"channel": "heartbeat"}
    ]


def row(**about):
    plain = {"side": "buy", "order_qty": Decimal("0.00001234"), "symbol": "BTC/USD"}
    return {**plain, "limit_price": Decimal("50000.1"), **about}


def test_holds_are_rounded_up_and_believed_by_side_as_rest_proves_them():
    usd, eur = Asset("USD", 4), Asset("EUR", 4)
    rows = {"a": row()}
    holds = Holds(rows)
    assert holds.of(usd) is None  # nothing has proved it
    holds.compare(usd, 6171)
    assert holds.of(usd) == 6171  # 0.61700…

    rows["b"] = row(symbol="BTC/EUR")
    assert holds.of(eur) == 6171
    rows["c"] = row(margin=True)
    assert holds.of(usd) == 6171
    rows["d"] = row(side="sell")
    assert holds.of(Asset("BTC", 10)) is None
    rows["e"] = row(limit_price=None)
    assert holds.of(usd) is None

    holds.compare(eur, 6195)
    assert (holds.of(eur), holds.of(usd)) == (None, None)
    rows.clear()
    assert holds.of(usd) == 0
    assert holds.of(eur) is None  # something else holds euros


codes = st.sampled_from(["ZUSD", "XXBT", "XETH", "DOT", "LINK"])
tiny = st.sampled_from(["0.0001", "0.0100", "0.0003"])
happenings = st.one_of(
    st.tuples(st.just("deposit"), codes, tiny),
    st.tuples(st.just("withdraw"), st.sampled_from(["ZUSD", "XETH"]), tiny),
    st.tuples(st.just("stake"), tiny),
    st.tuples(st.just("place"), st.sampled_from(["buy", "sell"])),
    st.tuples(st.just("fill"), st.integers(0, 9), st.booleans()),
    st.tuples(st.just("cancel"), st.integers(0, 9)),
    st.tuples(st.just("wait"), st.sampled_from([0.5, 2, 7])),
)
FRAMES = ("drop", "duplicate", "reorder", "freeze", "garbage", "hang_up")
races = st.tuples(st.sampled_from(["beforehand", "meanwhile"]), happenings)
faults = st.tuples(st.just("fault"), st.sampled_from(FRAMES), st.integers(0, 2))


class World:
    """Alex, his stream, and every state that was ever true."""

    def __init__(self, of_wallet, fee):
        self.exchange = Sandbox()
        unknown = {"wallet_balances": of_wallet, "holds_fee": fee}
        self.exchange.configure(extra=unknown)
        self.exchange.clock.freeze(NOW)
        adapter = Provider(self.exchange.demo_world().credentials)
        self.line = Line(self.exchange, adapter)
        self.true = {}
        self.remember()

    def remember(self):
        for id, state in truth(self.exchange).items():
            self.true.setdefault(id, set()).add(state)

    def happen(self, what, *about):
        getattr(self, what)(*about)
        self.remember()

    def deposit(self, code, amount):
        self.exchange.do("deposit", name="alex", code=code, amount=amount)

    def withdraw(self, code, amount):
        self.exchange.do("withdraw", name="alex", code=code, amount=amount)

    def stake(self, amount):
        self.exchange.do(
            "stake", name="alex", code="DOT", into="DOT28.S", amount=amount
        )

    def place(self, side):
        price = {"buy": "50000.1", "sell": "70000.3"}[side]
        place(self.exchange, side=side, quantity="0.00123457", price=price)

    def order(self, number):
        known = self.exchange.orders_of("alex")
        found = [(id, o) for id, o in known if o["status"] == "open"]
        return found[number % len(found)] if found else None

    def fill(self, number, whole):
        if found := self.order(number):
            id, order = found
            left = Decimal(order["quantity"]) - Decimal(order["filled"])
            part = left if whole else max(round(left / 2, 8), Decimal("1e-8"))
            self.exchange.do("fill_order", order=id, quantity=f"{part:f}")

    def cancel(self, number):
        if found := self.order(number):
            self.exchange.do("cancel_order", order=found[0])

    def wait(self, seconds):
        self.line.wait(seconds)

    def beforehand(self, step):
        """Let something happen after REST is asked next, and before it answers."""
        if step[0] != "wait":
            self.line.beforehand.append(lambda: self.happen(*step))

    def meanwhile(self, step):
        """Let something happen between the next answer of REST and its being read."""
        if step[0] != "wait":
            self.line.meanwhile.append(lambda: self.happen(*step))

    def end(self, seconds):
        """Let nothing more happen, and so much time pass."""
        self.exchange.calm()
        self.line.beforehand.clear()
        self.line.meanwhile.clear()
        self.line.wait(seconds)

    def fault(self, what, skip):
        self.exchange.fault(f"frame_{what}", seconds=2, skip=skip)


def test_frames_older_than_what_rest_told_are_not_told_with_its_holds():
    world = World(of_wallet=False, fee=True)
    world.line.wait(3)
    euros = {"market": "BTC/EUR", "quantity": "0.001", "price": "50000.0"}
    order = place(world.exchange, **euros)
    world.wait(8)
    world.remember()
    world.line.beforehand += [
        lambda: world.happen("deposit", "ZEUR", "1"),
        lambda: world.happen("deposit", "ZEUR", "2"),
        lambda: world.exchange.do("cancel_order", order=order) or world.remember(),
    ]
    world.happen("stake", "0.0001")  # a reason to ask REST
    world.line.wait(20)
    assert not world.line.beforehand

    told_of = [r for tell in world.line.tells for r in tell.readings]
    assert not untrue(world, told_of)
    assert told(world.line) == truth(world.exchange)


def untrue(world, readings):
    """Return what never was so."""
    states = [(r, (r.total, r.available)) for r in readings]
    return [r for r, state in states if state not in world.true[r.external_id]]


def test_order_that_is_placed_while_rest_answers_disproves_nothing(exchange, line):
    line.meanwhile.append(lambda: place(exchange))
    exchange.do("stake", name="alex", code="DOT", into="DOT28.S", amount="20")
    line.wait(10)
    before = exchange.requests
    place(exchange)
    line.pump()

    assert told(line) == truth(exchange)
    assert exchange.requests == before


@settings(deadline=None, max_examples=20, suppress_health_check=list(HealthCheck))
@given(st.lists(happenings | races, max_size=25), st.booleans(), st.booleans())
def test_nothing_is_ever_told_that_was_not_true(steps, of_wallet, fee):
    world = World(of_wallet, fee)
    for step in steps:
        world.happen(*step)
    world.end(20)
    assert not untrue(world, [r for t in world.line.tells for r in t.readings])
    assert told(world.line) == truth(world.exchange)


@settings(deadline=None, max_examples=30, suppress_health_check=list(HealthCheck))
@given(st.lists(happenings | races | faults, max_size=30), st.booleans(), st.booleans())
def test_whatever_happens_to_frames_the_end_is_what_the_books_say(
    steps, of_wallet, fee
):
    world = World(of_wallet, fee)
    for step in steps:
        world.happen(*step)
    world.end(60)

    assert world.line.feed.live
    assert told(world.line) == truth(world.exchange)
    known = world.exchange.ledger.topic("orders")
    words = {
        "open": (PARTIALLY_FILLED, "open"),
        "closed": (FILLED,),
        "canceled": (CANCELLED,),
    }
    for id, order in world.line.orders.items():
        assert order.status in words[known[id]["status"]], id
