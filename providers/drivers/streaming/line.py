"""One open WebSocket: how it is made, and whether anybody is still there."""

from __future__ import annotations

import ssl
from threading import Event
from time import monotonic

from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.sync.client import ClientConnection, connect

from providers.base import Provider
from providers.drivers import policy, tls
from providers.drivers.effects import named
from providers.drivers.gate import Gate
from providers.errors import Unavailable, UnexpectedResponse
from providers.streaming import Feed
from providers.wire import Response

TICK = 0.5  # seconds between two looks at the clock
OPENING = 10.0  # seconds for a handshake
LARGEST = 8 * 2**20  # bytes of one frame
WAITING_FRAMES = 4096  # while something is asked over REST


def opened(provider: Provider, gate: Gate, url: str) -> ClientConnection:
    """Return a connection to `url`, counted by its host's gate; raises ProviderError."""
    gate.refresh()
    probe = gate.enter()
    try:
        socket = _connected(url)
    except InvalidStatus as refused:
        response = _response(refused)
        policy.answered(provider, gate, response, probe=probe)
        provider.check(response)
        raise Unavailable(f"{provider.name} answered {response.status}") from None
    except (OSError, WebSocketException) as error:
        gate.leave(ok=False, probe=probe, kind="unanswered")
        raise Unavailable(f"{provider.name}: {named(error)}") from None
    else:
        gate.leave(ok=True, probe=probe)
    finally:
        if gate.unreported:
            gate.flush()
    return socket


def _connected(url: str) -> ClientConnection:
    secure: ssl.SSLContext | None = tls.context() if url.startswith("wss:") else None
    return connect(
        url,
        ssl=secure,
        open_timeout=OPENING,
        close_timeout=1,
        ping_interval=None,  # the line has its own
        max_size=LARGEST,
        max_queue=WAITING_FRAMES,
        user_agent_header="balsync",
        proxy=None,
    )


def _response(refused: InvalidStatus) -> Response:
    told = refused.response
    headers = {name.lower(): value for name, value in told.headers.raw_items()}
    return Response(told.status_code, headers, bytes(told.body or b""))


class Line:
    """One open connection, and whether anybody is still there."""

    def __init__(self, socket: ClientConnection, feed: Feed) -> None:
        self.socket, self.feed, self.note = socket, feed, ""
        self._opened = self.heard_at = self._ticked = monotonic()
        self._pong: Event | None = None

    @property
    def age(self) -> float:
        return monotonic() - self._opened

    @property
    def due(self) -> bool:
        """Say, once a tick, that time has passed."""
        if monotonic() - self._ticked < TICK:
            return False
        self._ticked = monotonic()
        return True

    def hear(self) -> str | None:
        """Return the next text frame; None if none came. Raises Unavailable."""
        try:
            found = self.socket.recv(timeout=TICK)
        except TimeoutError:
            self._check()
            return None
        self.heard_at = monotonic()
        if isinstance(found, bytes):
            raise UnexpectedResponse("A frame is no text")
        return found

    def _check(self) -> None:
        """Raise Unavailable if there was no sign of life for too long."""
        if not self.feed.heartbeats:
            self._ping()
        if monotonic() - self.heard_at > self.feed.silence:
            raise Unavailable("Nothing was heard for too long")

    def _ping(self) -> None:
        if self._pong is not None and self._pong.is_set():
            self.heard_at, self._pong = monotonic(), None
        if self._pong is None and monotonic() - self.heard_at > self.feed.silence / 3:
            self._pong = self.socket.ping()
