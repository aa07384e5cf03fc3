"""Streams: what they tell is what the exchange's books say, whatever became of frames."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from threading import Thread
from time import monotonic, sleep

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from providers import errors
from providers.binance import Provider
from providers.binance.sandbox import Sandbox
from providers.drivers import gates
from providers.drivers.streaming import Session
from providers.money import Asset
from providers.sandbox import serve
from providers.sandbox.wire import Answer, Asked
from tests.fixtures_still import NOW

from .line import Line

BTC = Asset("BTC", 8)


def books(exchange, name="alex"):
    """Return what is really held and locked in spot."""
    account = exchange.account_of(name)
    locked = exchange.locked(account)
    found = {}
    for holding in exchange.customer(name).holdings:
        if holding.kind == "exchange":
            asset = Asset.parse(holding.asset)
            total = exchange.balance(holding.external_id)
            held = asset.minor(locked.get(asset.code, Decimal(0)))
            found[holding.external_id] = (total, held)
    return found


@pytest.fixture
def line(exchange, adapter):
    line = Line(exchange, adapter, "spot")
    line.settle()
    return line


# -- spot


def test_stream_begins_with_all_balances_after_the_subscription(exchange, line):
    assert [json.loads(said)["method"] for said in line.said] == [
        "userDataStream.subscribe.signature"
    ]
    assert line.asked == ["/api/v3/account"]
    assert line.feed.live
    assert line.held() == books(exchange)


def test_ed25519_key_logs_on_and_subscribes_for_the_session(exchange):
    (eve,) = exchange.add_customers(["eve"], ed25519=True)
    line = Line(exchange, Provider(eve.credentials), "spot")
    line.settle()

    methods = [json.loads(said)["method"] for said in line.said]
    assert methods == ["session.logon", "userDataStream.subscribe"]
    assert line.feed.live
    assert line.held() == books(exchange, "eve")


def test_every_change_is_told_without_asking_again(exchange, line):
    exchange.clock.advance(1)
    exchange.deposit("alex", "BTC", "0.5")
    order = exchange.place_order("alex", "ETHUSDT", "SELL", "1.0000", "3200")
    exchange.fill_order("alex", "ETHUSDT", order, "0.4000")
    exchange.clock.advance(1)
    exchange.cancel_order("alex", "ETHUSDT", order)
    exchange.lock_up("alex", "BNB", "1")
    exchange.withdraw("alex", "SOL", "45")
    line.settle()
    line.wait(30)

    assert line.held() == books(exchange)
    assert line.asked == ["/api/v3/account", "/api/v3/exchangeInfo"]
    told = line.orders["ETHUSDT", f"{order}"]
    assert (told.status, told.filled, told.client_id) == (
        "cancelled",
        Decimal("0.4"),
        f"by-hand-{order}",
    )
    (trade,) = line.trades.values()
    assert (trade.cost, trade.fee, trade.fee_asset) == (1280, Decimal("1.28"), "USDT")


def test_stream_tells_orders_and_trades_as_rest_does(exchange, adapter, line, ask):
    order = exchange.place_order("alex", "ETHBTC", "BUY", "0.100", "0.04800")
    exchange.fill_order("alex", "ETHBTC", order, "0.060")
    line.settle()

    since = NOW - timedelta(days=1)
    page = ask(lambda a: a.trades("spot:ETHBTC", "", now=NOW, since=since))
    assert list(line.trades.values()) == page.rows
    (read,) = ask(lambda a: a.orders("spot:ETHBTC", "", now=NOW, since=since)).rows
    assert line.orders["ETHBTC", f"{order}"] == read


def test_difference_is_never_added_to_a_balance(exchange, line):
    before = line.held()
    exchange.frames.faults.clear()
    exchange.fault("frame_drop", value="outboundAccountPosition")
    exchange.clock.advance(1)
    exchange.deposit("alex", "BTC", "0.5")
    line.settle()

    assert line.held() == before
    line.wait(6)
    assert line.held() == books(exchange)
    assert line.feed.live


def test_balance_that_does_not_come_is_asked_for(exchange, line):
    exchange.fault("frame_drop", value="outboundAccountPosition")
    exchange.clock.advance(1)
    exchange.place_order("alex", "BTCUSDT", "BUY", "0.01000", "60000")
    line.settle()
    assert line.feed.live  # it may well be on its way

    line.wait(2)
    assert not line.feed.live

    line.wait(4)
    assert line.feed.live
    assert line.held() == books(exchange)


def test_frame_that_is_lost_without_a_trace_is_found_within_a_minute(exchange, line):
    exchange.fault("frame_drop", times=2)
    exchange.clock.advance(1)
    exchange.deposit("alex", "BTC", "0.5")
    line.wait(61)

    assert line.held() == books(exchange)
    assert line.asked.count("/api/v3/account") == 2


def frames_of(line):
    """Take the frames that wait to be heard."""
    return [frame.text for frame in line.talk.ready() if frame.text]


def test_older_balance_does_not_follow_a_newer_one(exchange, line):
    for amount in ("0.5", "0.25"):
        exchange.clock.advance(1)
        exchange.deposit("alex", "BTC", amount)
    for text in reversed(frames_of(line)):
        line.carry_out(line.feed.heard(text, line.now))

    assert line.held() == books(exchange)
    assert line.asked == ["/api/v3/account"]


def test_older_report_changes_no_order_and_leaves_no_trade_out(exchange, line):
    order = exchange.place_order("alex", "ETHUSDT", "SELL", "1.0000", "3200")
    for amount in ("0.3000", "0.7000"):
        exchange.clock.advance(1)
        exchange.fill_order("alex", "ETHUSDT", order, amount)
    for text in reversed(frames_of(line)):
        line.carry_out(line.feed.heard(text, line.now))

    assert line.orders["ETHUSDT", f"{order}"].status == "filled"
    assert sorted(t.quantity for t in line.trades.values()) == [
        Decimal("0.3"),
        Decimal("0.7"),
    ]
    assert line.held() == books(exchange)


def test_answer_older_than_an_event_does_not_undo_it(exchange, line):
    exchange.clock.advance(60)
    exchange.deposit("alex", "BTC", "0.5")
    line.settle()
    exchange.fault("read_lag", seconds=30, path="/api/v3/account")
    stale = exchange.ledger.topic("touched")
    account = exchange.account_of("alex")["id"]
    now, stale[account] = stale[account], exchange.milliseconds() - 60_000
    line.carry_out([line.feed.look(line.now)])
    stale[account] = now

    assert line.held() == books(exchange)
    looks = line.asked.count("/api/v3/account")
    line.wait(6)  # it is not believed for long
    assert line.asked.count("/api/v3/account") == looks + 1


def test_event_of_long_ago_does_not_stand_against_an_answer(exchange, line):
    exchange.clock.advance(1)
    exchange.deposit("alex", "BTC", "0.5")
    line.settle()
    exchange.fault("frame_drop", times=2)
    exchange.withdraw("alex", "BTC", "0.25")
    # As if they did not count this as a change of the account.
    account = exchange.account_of("alex")["id"]
    exchange.ledger.topic("touched")[account] -= 60_000
    line.wait(61)

    assert line.held() == books(exchange)


@pytest.mark.parametrize("happening", ["server_shutdown", "end_subscriptions"])
def test_stream_that_is_ended_is_opened_anew(exchange, line, happening):
    exchange.do(happening, **({"name": "alex"} if "end" in happening else {}))
    line.settle()

    assert line.hung


def test_subscription_that_is_not_confirmed_is_given_up(exchange, adapter):
    exchange.fault("frame_drop")
    line = Line(exchange, adapter, "spot")
    line.wait(11)

    assert line.hung
    assert not line.feed.live


def test_clock_that_is_refused_is_compared_once(exchange, adapter):
    adapter.ahead = timedelta(hours=-1)
    line = Line(exchange, adapter, "spot")
    line.settle()

    assert line.asked[0] == "/api/v3/time"
    assert line.feed.live


@pytest.mark.parametrize(
    ("credentials", "error"),
    [
        ({"api_secret": "another"}, errors.AuthenticationFailed),
        ({"api_key": "nobody"}, errors.AuthenticationFailed),
    ],
)
def test_refused_subscription_has_a_name(exchange, alex, credentials, error):
    line = Line(exchange, Provider({**alex.credentials, **credentials}), "spot")

    with pytest.raises(error):
        line.settle()


def test_refusal_for_weight_says_when_to_come_back(exchange, adapter):
    line = Line(exchange, adapter, "spot")
    frame = {
        "id": "subscribe",
        "status": 429,
        "error": {
            "code": -1003,
            "msg": "Too much request weight used.",
            "data": {"retryAfter": exchange.milliseconds() + 9_000},
        },
    }

    with pytest.raises(errors.RateLimited) as raised:
        list(line.feed.heard(json.dumps(frame), line.now))
    assert raised.value.retry_after == 9


@pytest.mark.parametrize(
    "text",
    [
        "<html>",
        "[]",
        "{}",
        '{"event": null}',
        '{"event": {"e": 1}}',
        '{"event": {"e": "outboundAccountPosition", "u": 1, "B": [{"a": "BTC"}]}}',
        '{"event": {"e": "outboundAccountPosition", "u": "x", "B": []}}',
        '{"event": {"e": "balanceUpdate", "a": "BTC", "d": 1, "T": 1}}',
        '{"event": {"e": "executionReport", "s": null}}',
        '{"event": {"e": "executionReport", "s": "BTCUSDT", "i": 1}}',
        '{"event": {"e": "x", "e": "y"}}',
    ],
)
def test_frame_that_makes_no_sense_has_a_name(line, text):
    with pytest.raises(errors.UnexpectedResponse):
        line.carry_out(line.feed.heard(text, line.now))


def test_event_that_nobody_knows_yet_is_let_pass(line):
    line.carry_out(line.feed.heard('{"event": {"e": "somethingNew"}}', line.now))
    line.carry_out(line.feed.heard('{"event": {"e": "listStatus"}}', line.now))

    assert line.feed.live


def test_feed_covers_its_own_segment_and_network(adapter):
    spot, futures = (adapter.feed(stream) for stream in ("spot", "futures"))
    test = Provider({"testnet": "yes", "api_key": "k", "api_secret": "s"}).feed("spot")

    assert spot.covers("spot:7:BTC")
    assert not spot.covers("futures:Fz:USDT")
    assert not spot.covers("testnet:spot:7:BTC")
    assert futures.covers("futures:Fz:USDT")
    assert test.covers("testnet:spot:7:BTC")
    assert [f.host for f in (spot, futures, test)] == [
        "stream",
        "futures_stream",
        "testnet_stream",
    ]


# -- futures


@pytest.fixture
def futures(exchange, adapter):
    line = Line(exchange, adapter, "futures")
    line.settle()
    return line


def wallets(exchange, ask):
    seen = ask(lambda adapter: adapter.snapshot("futures"))
    return {r.external_id: (r.total, r.held) for r in seen.readings}


def test_wallets_follow_trades_and_transfers(exchange, futures, ask):
    order = exchange.place_order(
        "alex", "BTCUSDT", "SELL", "0.020", "65000", segment="futures"
    )
    exchange.fill_order("alex", "BTCUSDT", order, segment="futures")
    exchange.deposit("alex", "USDT", "250", segment="futures")
    futures.wait(3)

    assert futures.held() == wallets(exchange, ask)
    assert futures.feed.live
    assert futures.orders["BTCUSDT", f"{order}"].status == "filled"
    (trade,) = futures.trades.values()
    since = NOW - timedelta(days=1)
    read = ask(lambda a: a.trades("futures:BTCUSDT", "", now=futures.now, since=since))
    assert trade == read.rows[-1]
    assert trade.pnl == (65_000 - Decimal("64260.3")) * Decimal("0.02")


def test_many_events_are_one_look(exchange, futures):
    for _ in range(5):
        exchange.deposit("alex", "USDT", "1", segment="futures")
    before = futures.asked.count("/fapi/v3/balance")
    futures.wait(3)

    assert futures.asked.count("/fapi/v3/balance") == before + 1


def test_wallets_are_read_once_a_second_at_most(exchange, futures):
    before = futures.asked.count("/fapi/v3/balance")
    for _ in range(20):
        exchange.clock.advance(0.1)
        exchange.deposit("alex", "USDT", "1", segment="futures")
        futures.settle()
        futures.carry_out(futures.feed.tick(futures.now))

    assert futures.asked.count("/fapi/v3/balance") - before in (1, 2)


def test_listen_key_is_kept_alive_and_its_end_is_noticed(exchange, futures):
    futures.wait(4000)
    assert futures.hung is None
    assert futures.asked.count("/fapi/v1/listenKey") == 3

    exchange.expire_listen_key("alex")
    exchange.beat_all()
    futures.settle()
    assert futures.hung


def test_listen_key_that_is_lost_ends_the_connection(exchange, futures):
    exchange.expire_listen_key("alex")

    with pytest.raises(errors.Refused):
        futures.wait(1801)


# -- the exchange's side


def test_pong_that_does_not_come_ends_the_connection(exchange, line):
    exchange.clock.advance(20)
    exchange.beat_all()
    (ping,) = [frame.ping for frame in line.talk.ready()]
    line.talk.pongs.append(ping)
    exchange.clock.advance(20)
    exchange.beat_all()
    assert line.talk.closed is None

    exchange.clock.advance(61)
    exchange.beat_all()
    assert line.talk.closed == 1008


def test_connection_lasts_a_day_and_no_longer(exchange, line):
    exchange.clock.advance(24 * 3600)
    exchange.beat_all()

    assert line.talk.closed == 1001


def test_connections_of_an_address_are_limited(exchange):
    for _ in range(300):
        assert isinstance(exchange.connect(Asked("GET", "/ws-api/v3")), tuple)

    refused = exchange.connect(Asked("GET", "/ws-api/v3"))
    assert isinstance(refused, Answer)
    assert refused.status == 429
    exchange.clock.advance(301)
    assert isinstance(exchange.connect(Asked("GET", "/ws-api/v3")), tuple)


def test_second_subscription_of_one_account_is_refused(exchange, line):
    for text in line.said * 2:
        line.hear(text)
    first, second = (json.loads(frame.text) for frame in line.talk.ready())

    assert [told["error"]["code"] for told in (first, second)] == [-2035] * 2


# -- all that may happen to frames

ASSETS = ("BTC", "ETH", "USDT")
FAULTS = ("frame_drop", "frame_duplicate", "frame_reorder")
cents = st.integers(1, 500).map(lambda n: f"{Decimal(n) / 1000}")


class Chaos(RuleBasedStateMachine):
    """An account that trades while its frames are lost, doubled and exchanged."""

    @initialize()
    def begin(self):
        self.exchange = Sandbox()
        self.exchange.clock.freeze(NOW)
        wish = {"spot": {"BTC": "2", "ETH": "20", "USDT": "100000"}}
        (self.pat,) = self.exchange.add_customers(["pat"], markets=["spot"], **wish)
        self.adapter = Provider(self.pat.credentials)
        self.open, self.faulty = [], False
        self.line = Line(self.exchange, self.adapter, "spot")
        self.line.settle()

    @rule(asset=st.sampled_from(ASSETS), amount=cents)
    def deposit(self, asset, amount):
        self.exchange.deposit("pat", asset, amount)

    @rule(asset=st.sampled_from(ASSETS), amount=cents)
    def withdraw_or_lock(self, asset, amount):
        for what in (self.exchange.withdraw, self.exchange.lock_up):
            if self.exchange.free(self.exchange.account_of("pat"), asset) > 1:
                what("pat", asset, amount)

    @rule(side=st.sampled_from(["BUY", "SELL"]), pair=st.sampled_from(["BTC", "ETH"]))
    def place(self, side, pair):
        if len(self.open) < 6:
            about = (f"{pair}USDT", side, "0.0100", "3000")
            self.open.append((about[0], self.exchange.place_order("pat", *about)))

    @rule(how=st.sampled_from(["fill_order", "cancel_order", "expire_order"]))
    def end(self, how):
        if self.open:
            symbol, number = self.open.pop(0)
            getattr(self.exchange, how)("pat", symbol, number)

    @rule(action=st.sampled_from(FAULTS), skip=st.integers(0, 2))
    def spoil(self, action, skip):
        self.exchange.fault(action, skip=skip)
        self.faulty = True

    @rule()
    def hear(self):
        self.line.settle()

    @rule(milliseconds=st.integers(1, 1500))
    def pass_time(self, milliseconds):
        self.exchange.clock.advance(milliseconds / 1000)

    @rule(seconds=st.integers(1, 8))
    def wait(self, seconds):
        self.line.wait(seconds)

    @rule()
    def read_again(self):
        self.line.settle()
        self.line.carry_out([self.line.feed.look(self.line.now)])
        assert self.line.held() == books(self.exchange, "pat")

    @invariant()
    def what_is_told_was_true(self):
        if hasattr(self, "line") and not self.faulty:
            self.line.settle()
            assert self.line.held() == books(self.exchange, "pat")

    def teardown(self):
        if not hasattr(self, "line"):
            return
        self.exchange.calm()
        self.line.wait(62)
        assert self.line.feed.live
        assert self.line.held() == books(self.exchange, "pat")
        for (symbol, number), order in self.line.orders.items():
            if not self.faulty:
                topic = f"orders:spot:{self.exchange.account_of('pat')['id']}:{symbol}"
                row = self.exchange.ledger.topic(topic)[number]
                assert order.filled == Decimal(row["filled"])


Chaos.TestCase.settings = settings(
    deadline=None, max_examples=30, stateful_step_count=25
)
TestChaos = Chaos.TestCase


# -- over real sockets


@pytest.mark.parametrize(
    ("stream", "segment"), [("spot", "exchange"), ("futures", "futures")]
)
def test_driver_holds_a_stream_open(stream, segment):
    gates.configure(None)
    with serve("binance") as box:
        exchange = box["binance"]
        alex = exchange.demo_world()
        account = next(h for h in alex.holdings if h.kind == segment).external_id
        adapter = Provider(alex.credentials, box.hosts("binance"))
        session = Session(adapter, stream)
        thread = Thread(target=session.run, daemon=True)
        thread.start()
        told = {}

        def heard(total):
            told.update(session.take().readings)
            return account in told and told[account].total == total

        until(lambda: session.live and heard(exchange.balance(account)))
        exchange.pay(account, 12_345)
        until(lambda: heard(exchange.balance(account)))
        session.stop()
        thread.join(10)
    assert not thread.is_alive()
    gates.configure(None)


def until(condition):
    """Wait until `condition` holds; fails after a long time."""
    deadline = monotonic() + 30
    while not condition():
        assert monotonic() < deadline
        sleep(0.01)
