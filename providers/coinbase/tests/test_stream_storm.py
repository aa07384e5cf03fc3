"""Whatever befalls the frames, what was told in the end is what the exchange's books say."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from providers.coinbase import Provider
from providers.coinbase.sandbox import Sandbox
from providers.coinbase.stream import REGULAR
from providers.errors import ProviderError
from providers.sandbox.inside import sender
from providers.sandbox.wire import Asked
from providers.streaming import Ask, Hang, Look, Say, Told, Traded
from providers.wire import drive
from tests.fixtures_still import NOW

FAULTS = ["drop", "duplicate", "reorder", "garbage", "hang_up", "freeze"]
steps = st.lists(
    st.tuples(
        st.sampled_from(["place", "fill", "end", "pause"]),
        st.none() | st.sampled_from(FAULTS),
        st.integers(1, 3),  # frames that the fault strikes
        st.integers(0, 40),  # quarters of a second that pass
    ),
    max_size=12,
)


class Line:
    """Holds the stream open as a driver does, without a socket and without waiting."""

    def __init__(self, bank):
        self.bank, self.told, self.orders, self.looks = bank, {}, {}, 0
        self.adapter = Provider(bank.credentials())
        self.send = sender(self.adapter, bank)
        self.connect()

    def connect(self):
        now = self.bank.clock.now()
        self.talk, self.hear = self.bank.connect(Asked("GET", "/stream"))
        self.feed, self.heard_at = self.adapter.feed("orders"), now
        self.carry_out(self.feed.opened(now))

    def step(self):
        """Let a quarter of a second pass."""
        self.bank.clock.advance(0.25)
        self.bank.beat_all()
        now = self.bank.clock.now()
        try:
            for frame in self.talk.ready():
                self.heard_at = now
                broken_off(frame.abort or frame.close)
                self.carry_out(self.feed.heard(frame.text, now))
            self.carry_out(self.feed.tick(now))
            silence = (now - self.heard_at).total_seconds()
            broken_off(silence > self.feed.silence)
        except ProviderError:
            self.bank.leave(self.talk)
            self.connect()

    def carry_out(self, actions):
        for action in actions:
            now = self.bank.clock.now()
            match action:
                case Say():
                    self.hear(action.text)
                case Look():
                    self.looks += 1
                    seen = drive(self.adapter.observe(), self.send)
                    self.carry_out(self.feed.seen(seen, now, now))
                case Ask():
                    found = drive(action.call, self.send)
                    self.carry_out(self.feed.answered(action.about, found, now))
                case Told():
                    self.told |= {r.external_id: r for r in action.readings}
                case Traded():
                    self.orders |= {o.external_id: o for o in action.orders}
                case Hang():
                    raise ProviderError(action.reason)


def broken_off(is_so):
    if is_so:
        raise ProviderError


def happen(bank, what):
    """Let Alex order something, or let something become of what was ordered."""
    live = [
        o for o in bank.ledger.topic("orders").values() if o["api"]["status"] == "OPEN"
    ]
    if what == "place":
        wish = {"side": "buy", "size": "0.001", "price": "40000"}
        bank.do("place_order", name="alex", product="BTC-GBP", **wish)
    elif what != "pause" and live:
        order = live[-1]["api"]["order_id"]
        bank.do("fill_order" if what == "fill" else "end_order", order=order)


def played(made):
    bank = Sandbox()
    bank.clock.freeze(NOW)
    bank.configure(extra={"per_second": 10_000})
    line = Line(bank)
    for what, fault, times, quarters in made:
        if fault:
            bank.fault(f"frame_{fault}", times=times, seconds=7)
        happen(bank, what)
        for _ in range(quarters):
            line.step()
    return bank, line


def agrees(bank, line):
    holds, books = bank.holds(), bank.balances()
    told = {id: (r.total, r.held) for id, r in line.told.items()}
    return told == {id: (held, holds[id]) for id, held in books.items()}


@settings(max_examples=60, deadline=None)
@given(made=steps)
def test_storm_ends_in_what_the_books_say(made):
    bank, line = played(made)
    bank.calm()
    for _ in range(4 * 45):  # long enough to notice silence, and to connect anew
        line.step()

    assert line.feed.live
    assert agrees(bank, line)
    for order in bank.ledger.topic("orders").values():
        if order["api"]["status"] == "OPEN":
            known = line.orders[order["api"]["order_id"]]
            assert known.status in ("open", "partially_filled")


def test_deposit_is_seen_by_the_regular_look():
    bank, line = played([("pause", None, 1, 40)])
    bank.pay(bank.demo_world().account.external_id, 5)
    assert not agrees(bank, line)

    for _ in range(4 * int(REGULAR.total_seconds())):
        line.step()

    assert agrees(bank, line)
    assert line.looks == 2
