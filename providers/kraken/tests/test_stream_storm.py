"""Whatever happens, and whenever: what is told was true, and the end is what the books say."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from providers.kraken import Provider
from providers.kraken.sandbox import Sandbox
from providers.trading import CANCELLED, FILLED, PARTIALLY_FILLED
from tests.fixtures_still import NOW

from .talking import Line, place, told, truth

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
