"""Joins a feed and the exchange without a socket, and keeps what the feed tells."""

from __future__ import annotations

from providers.errors import ProviderError
from providers.sandbox.inside import sender
from providers.sandbox.sockets import Frame
from providers.sandbox.wire import Asked
from providers.streaming import Ask, Hang, Look, Note, Say, Told, Traded
from providers.wire import drive


class Line:
    """One customer's stream, which connects anew when it ends, as a session does."""

    def __init__(self, exchange, adapter, first=None):
        self.exchange, self.adapter = exchange, adapter
        self.ask = sender(adapter, exchange)
        self.readings, self.orders, self.trades = {}, {}, {}
        self.notes, self.looks, self.ends, self.tells = [], 0, [], []
        self.beforehand = []  # what happens while a question to REST is on its way
        self.meanwhile = []  # … and while the answer is
        self.connect()

    def now(self):
        return self.exchange.clock.now()

    def connect(self):
        self.feed, self.talk = self.adapter.feed(*self.adapter.streams()), None
        try:
            path = drive(self.feed.opening(), self.ask)
        except ProviderError as error:
            self.ends.append(error.code)
            return
        self.talk, self.hear = self.exchange.connect(Asked("GET", path))
        self.carry_out(self.feed.opened(self.now()))
        self.pump()

    def carry_out(self, actions):
        for action in actions:
            match action:
                case Say():
                    self.hear(action.text)
                case Told():
                    self.told(action)
                case Traded():
                    self.orders |= {o.external_id: o for o in action.orders}
                    self.trades |= {t.external_id: t for t in action.trades}
                case Look() | Ask():
                    self.carry_out(self.asked(action))
                case Note():
                    self.notes.append(action)
                case Hang():
                    return self.end(action.reason)

    def asked(self, action):
        asked = self.now()
        if isinstance(action, Ask):
            found = drive(action.call, self.ask)
            return self.feed.answered(action.about, found, self.now())
        self.looks += 1
        happen(self.beforehand)
        seen = drive(self.adapter.observe(), self.ask)
        happen(self.meanwhile)
        return self.feed.seen(seen, asked, self.now())

    def told(self, told):
        if told.whole:
            self.readings.clear()
        self.readings |= {r.external_id: r for r in told.readings}
        self.tells.append(told)

    def end(self, reason):
        self.ends.append(reason)
        if self.talk is not None:
            self.exchange.leave(self.talk)
        self.talk = None

    def pump(self):
        """Let every frame that is on its way arrive."""
        while self.talk is not None and (frames := self.talk.ready()):
            for frame in frames:
                if self.talk is not None:
                    self.arrive(frame)

    def arrive(self, frame: Frame):
        if frame.abort or frame.close is not None:
            return self.end("closed")
        try:
            self.carry_out(self.feed.heard(frame.text, self.now()))
        except ProviderError as error:
            self.end(error.code)

    def wait(self, seconds, step=0.5):
        """Let time pass, with its heartbeats and ticks."""
        for _ in range(round(seconds / step)):
            self.exchange.clock.advance(step)
            self.exchange.beat_all()
            self.pump()
            if self.talk is None:
                self.connect()
                continue
            try:
                self.carry_out(self.feed.tick(self.now()))
            except ProviderError as error:
                self.end(error.code)
            self.pump()


def happen(waiting):
    while waiting:
        waiting.pop(0)()


def truth(exchange, name="alex"):
    """Return what somebody really holds, and can spend, by account."""
    held = exchange.held(name)
    found = {}
    for holder in exchange.accounts(name):
        total = exchange.ledger.held[holder.id]
        found[holder.id] = (total, total - held.get(holder.facts["code"], 0))
    return found


def told(line):
    return {id: (r.total, r.available) for id, r in line.readings.items()}


def place(exchange, **changes):
    wish = {"market": "BTC/USD", "side": "buy", "quantity": "0.02", "price": "50000.0"}
    return exchange.do("place_order", name="alex", **{**wish, **changes})
