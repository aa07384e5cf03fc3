"""Whatever becomes of frames, and over real sockets: the end is what the books say."""

from __future__ import annotations

from decimal import Decimal
from threading import Thread
from time import monotonic, sleep

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from providers.binance import Provider
from providers.binance.sandbox import Sandbox
from providers.drivers import gates
from providers.drivers.streaming import Session
from providers.sandbox import serve
from tests.fixtures_still import NOW

from .line import Line, books

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
