"""Holds one stream open: connects, talks as its feed wants, and connects anew."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from threading import Event, Lock
from time import monotonic

from websockets.exceptions import ConnectionClosed

from providers.base import Provider
from providers.drivers import gates
from providers.drivers.blocking import blocking
from providers.drivers.gate import Gate
from providers.drivers.policy import slug_of
from providers.errors import (
    FAULTS,
    AuthenticationFailed,
    CircuitOpen,
    ProviderError,
    RateLimited,
    Unavailable,
    UnexpectedResponse,
    storable,
    words_of,
)
from providers.streaming import (
    Action,
    Ask,
    Feed,
    Hang,
    Look,
    Note,
    Say,
    Streams,
    Told,
    Traded,
)
from providers.wire import Call, Request, T, watched

from .line import Line, opened
from .news import News, Report, State

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 60.0  # seconds before the next attempt
LOOK_AGAIN = 5.0  # seconds before an open circuit is looked at again
STEADY = 30.0  # seconds after which a failure is the first one again


class _Over(Exception):
    """This connection has come to its end, for a reason that is no failure."""

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


class Session:
    """One stream of one set of credentials, held open until it is told to stop."""

    def __init__(
        self,
        provider: Provider,
        stream: str,
        *,
        may: Callable[[], bool] = lambda: True,
    ) -> None:
        """Prepare; `may` says whether this process still speaks for the stream."""
        assert isinstance(provider, Streams)
        self.provider, self.stream = provider, stream
        self.report = Report()
        self._feed_of: Streams = provider
        self._may, self._driver = may, blocking(slug_of(type(provider)))
        self._stop, self._lock, self._news = Event(), Lock(), News()
        self._feed: Feed | None = None
        self._failures = 0

    # -- for whoever holds it

    def stop(self) -> None:
        """Let it end soon."""
        self._stop.set()

    @property
    def live(self) -> bool:
        """Say whether what was told is whole and up to date."""
        return self.report.state is State.LIVE

    def covers(self, external_id: str) -> bool:
        """Say whether the stream tells about an account."""
        feed = self._feed
        return feed is not None and feed.covers(external_id)

    def take(self) -> News:
        """Return what was told since the last time, and forget it."""
        with self._lock:
            news, self._news = self._news, News()
            return news

    def give_back(self, news: News) -> None:
        """Take back what could not be kept: what was told since is newer."""
        with self._lock:
            later, self._news = self._news, news
            self._news.add(later)

    # -- the thread

    def run(self) -> None:
        """Connect and talk, again and again, until it is told to stop."""
        while self._on():
            pause = self._attempt()
            if self.report.state is State.REFUSED:
                return
            self.report.next_try = monotonic() + pause
            self._stop.wait(pause)
        self._become(State.ENDED)

    def _on(self) -> bool:
        return not self._stop.is_set() and self._may()

    def _attempt(self) -> float:
        """Hold one connection to its end; return the seconds until the next one."""
        self._become(State.CONNECTING)
        began = monotonic()
        try:
            self._talk(self._feed_of.feed(self.stream))
        except _Over as over:
            self._become(State.WAITING, str(over))
            lasted = monotonic() - began
            # One that ends again and again must not be opened in a storm.
            pause = 0.0 if lasted > STEADY else self._pause(Unavailable(), lasted)
            return max(over.wait, pause)
        except AuthenticationFailed as error:
            self._become(State.REFUSED, str(error))
            return 0.0
        except ProviderError as error:
            self._become(State.WAITING, str(error) or error.code)
            return self._pause(error, monotonic() - began)
        except FAULTS as fault:
            self._become(State.WAITING, words_of(self.provider.name, fault))
            return self._pause(UnexpectedResponse(), monotonic() - began)
        return 0.0

    def _pause(self, error: ProviderError, lasted: float) -> float:
        self._failures = 1 if lasted > STEADY else self._failures + 1
        usual = FIRST_PAUSE * 2 ** min(self._failures - 1, 10)
        pause = min(usual, LONGEST_PAUSE) * random.uniform(0.5, 1.0)
        if isinstance(error, CircuitOpen):
            # Nothing is sent while it is open, and a person may close it at any moment.
            return float(min(max(pause, error.retry_after), LOOK_AGAIN))
        asked = error.retry_after if isinstance(error, RateLimited) else None
        return float(max(pause, asked or 0.0))

    def _talk(self, feed: Feed) -> None:
        self._feed = feed
        address = self._ask(feed.opening())
        url = self.provider.urls[feed.host].rstrip("/") + address
        gate = gates.gate_of(self.provider, Request("GET", "/", host=feed.host))
        self._pay(gate)
        with opened(self.provider, gate, url) as socket:
            self.report.connections += 1
            line = Line(socket, feed)
            try:
                self._carry_out(line, feed.opened(_now()))
                while self._on():
                    self._step(line)
            except ConnectionClosed as closed:
                raise Unavailable(_farewell(closed)) from closed

    def _pay(self, gate: Gate) -> None:
        """Wait until a connection may be made; they are counted, too."""
        ration = gate.rations and gate.rations.of(self.provider)
        while ration and self._on() and (wait := ration.lease(1)):
            self._stop.wait(min(wait, 1.0))

    def _step(self, line: Line) -> None:
        """Hear one frame, or let time pass."""
        feed, text = line.feed, line.hear()
        self.report.alive = line.heard_at
        if text is not None:
            self.report.frames += 1
            self._carry_out(line, feed.heard(text, _now()))
        if line.due:
            self._carry_out(line, feed.tick(_now()))
        if line.age > feed.lasts:
            raise _Over("It has lasted long enough")

    def _carry_out(self, line: Line, actions: Iterable[Action]) -> None:
        """Do what a feed wants, in order, and let it know what came of it."""
        for action in actions:
            match action:
                case Say():
                    line.socket.send(action.text)
                case Told() | Traded():
                    self._hear(News.of(action))
                case Look() | Ask():
                    self._carry_out(line, self._asked(line.feed, action))
                case Note():
                    line.note = "" if action.online else action.reason or "It pauses"
                case Hang():
                    raise _Over(action.reason, action.wait)
        self._tell(line)

    def _asked(self, feed: Feed, action: Look | Ask) -> Iterable[Action]:
        """Ask over REST and return what follows from the answer."""
        if isinstance(action, Ask):
            return feed.answered(action.about, self._ask(action.call), _now())
        asked = _now()
        return feed.seen(self._ask(self.provider.observe()), asked, _now())

    def _tell(self, line: Line) -> None:
        if line.note:
            self._become(State.PAUSED, line.note)
        elif line.feed.live:
            self._become(State.LIVE)
        else:
            self._become(State.CONNECTING)

    def _ask(self, call: Call[T]) -> T:
        def count(_: Request) -> None:
            self.report.requests += 1

        return self._driver.run(self.provider, watched(call, count))

    def _become(self, state: State, reason: str = "") -> None:
        reason = storable(reason)  # it may be in the institution's own words
        if (state, reason) != (self.report.state, self.report.reason):
            self.report.reason, self.report.since = reason, monotonic()
            self.report.state = state

    def _hear(self, news: News) -> None:
        with self._lock:
            self._news.add(news)


def _now() -> datetime:
    return datetime.now(UTC)


def _farewell(closed: ConnectionClosed) -> str:
    if closed.rcvd is None:
        return "The connection broke off"
    return f"It was closed: {closed.rcvd.code} {closed.rcvd.reason}"[:200]
