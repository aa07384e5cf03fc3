"""A stream without a socket: frames and actions are carried by hand."""

from __future__ import annotations

from decimal import Decimal

from providers.money import Asset
from providers.sandbox.inside import sender
from providers.sandbox.wire import Asked
from providers.streaming import Ask, Hang, Say, Told, Traded
from providers.wire import drive


class Line:
    """One connection of a feed to the exchange, and what the feed has told so far."""

    def __init__(self, exchange, adapter, stream):
        self.exchange, self.adapter = exchange, adapter
        self.feed = adapter.feed(stream)
        self.balances, self.orders, self.trades = {}, {}, {}
        self.hung, self.asked, self.said = None, [], []
        rest = self.ask(self.feed.opening())
        path = exchange.mounts[self.feed.host] + rest
        found = exchange.connect(Asked("GET", path))
        assert isinstance(found, tuple), found
        self.talk, self.hear = found
        self.carry_out(self.feed.opened(self.now))

    @property
    def now(self):
        return self.exchange.clock.now()

    def ask(self, call):
        send = sender(self.adapter, self.exchange)

        def counted(request):
            self.asked.append(request.path)
            return send(request)

        return drive(call, counted)

    def carry_out(self, actions):
        for action in actions:
            match action:
                case Say():
                    self.said.append(action.text)
                    self.hear(action.text)
                case Ask():
                    result = self.ask(action.call)
                    self.carry_out(self.feed.answered(action.about, result, self.now))
                case Told() | Traded():
                    self.keep(action)
                case Hang():
                    self.hung = action.reason
                case _:
                    raise AssertionError(action)

    def keep(self, told):
        if isinstance(told, Told):
            found = {r.external_id: r for r in told.readings}
            assert len(found) == len(told.readings)
            self.balances = found if told.whole else self.balances | found
            return
        self.orders |= {(o.market.name, o.external_id): o for o in told.orders}
        for trade in told.trades:
            key = trade.market.name, trade.external_id
            assert self.trades.setdefault(key, trade) == trade

    def settle(self):
        """Let everything that was said be heard, and what follows from it."""
        while frames := self.talk.ready():
            for frame in frames:
                if frame.text and self.hung is None:
                    self.carry_out(self.feed.heard(frame.text, self.now))

    def wait(self, seconds):
        """Let time pass, second by second."""
        for _ in range(seconds):
            self.exchange.clock.advance(1)
            self.settle()
            if self.hung is None:
                self.carry_out(self.feed.tick(self.now))

    def held(self):
        """Return total and held of what is not empty, as the feed has told it."""
        return {name: (r.total, r.held) for name, r in self.balances.items() if r.total}


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
