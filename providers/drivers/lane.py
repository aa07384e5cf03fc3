"""The short way of a plain GET: aiohttp's connections and its parser, and little else.

`ClientSession.request` is made for redirects, cookies, proxies, traces and uploads. A
sync wants none of them, and would spend more on them than on everything else.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from functools import lru_cache, partial
from time import monotonic
from types import TracebackType
from typing import cast

import aiohttp
from aiohttp.connector import Connection
from yarl import URL

from providers.wire import Request, Response

from . import policy
from .line import Line

# What else stands in an address or says how a body is sent, aiohttp knows better.
PLAIN = re.compile(r"(?P<origin>https?://[A-Za-z0-9.:\[\]-]+)(?P<target>/[!\"$-~]*)")
UNUSUAL = frozenset(
    {"connection", "content-length", "expect", "host", "transfer-encoding", "upgrade"}
)
MOST_ORIGINS = 1_000  # remembered


class Flight:
    """A GET that is on its way, and the connection that its answer comes on."""

    __slots__ = ("_answer", "_connection", "_line", "began")

    def __init__(self, connection: Connection, head: bytes) -> None:
        self._connection, self._line = connection, cast(Line, connection.protocol)
        self.began = monotonic()
        self._answer = self._line.ask(head)

    async def land(self) -> Response:
        """Return the answer; raises what `ClientSession.request` would, and TooLarge."""
        try:
            answer = await self._answer or await self._line.read_whole()
        except BaseException:
            self.abandon()
            raise
        self._connection.release()
        return answer

    def abandon(self) -> None:
        """Close the connection unless it has landed: an answer may still come on it."""
        self._connection.close()


class Lane:
    """Sends plain GETs over the connections that `session` keeps."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        session: aiohttp.ClientSession,
        connect: float,
    ) -> None:
        assert session.connector is not None
        self._loop, self._connector = loop, session.connector
        self._connector._factory = partial(Line, loop)  # type: ignore[assignment]
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=connect)
        self._origins: dict[str, aiohttp.ClientRequest] = {}

    @property
    def ready(self) -> bool:
        """Say whether a connection is kept, wherever it leads to."""
        return bool(self._connector._conns)

    def takes(self, request: Request, url: str) -> re.Match[str] | None:
        """Return the parts of `url` if nothing about `request` is unusual."""
        if request.method != "GET" or request.body:
            return None
        return PLAIN.fullmatch(url) if _usual(tuple(request.headers)) else None

    async def get(self, place: re.Match[str], headers: Mapping[str, str]) -> Response:
        """Return the answer; raises what `ClientSession.request` would, and TooLarge."""
        where = self._where(place["origin"])
        connection = self._idle(where) or await self._connect(where)
        return await self._start(where, connection, place["target"], headers).land()

    def launch(self, place: re.Match[str], headers: Mapping[str, str]) -> Flight | None:
        """Send a GET now over a connection that was kept; None where there is none."""
        where = self._origins.get(place["origin"])
        if where is None or (connection := self._idle(where)) is None:
            return None
        return self._start(where, connection, place["target"], headers)

    def _start(
        self,
        where: aiohttp.ClientRequest,
        connection: Connection,
        target: str,
        headers: Mapping[str, str],
    ) -> Flight:
        text = _head(tuple(headers))
        for name, value in headers.items():
            text += f"{name}: {value}\r\n"
        host = where.headers["Host"]
        head = f"GET {target} HTTP/1.1\r\nHost: {host}\r\n{text}\r\n"
        return Flight(connection, head.encode())

    def _idle(self, where: aiohttp.ClientRequest) -> Connection | None:
        """Return a kept connection on which nothing was said that nobody asked for."""
        while (found := self._pooled(where)) is not None:
            if found.protocol is not None and not found.protocol.should_close:
                return found
            found.close()
        return None

    def _pooled(self, where: aiohttp.ClientRequest) -> Connection | None:
        # Without traces it never waits: what is wanted is there at the first step.
        looking = self._connector._get(where.connection_key, [])
        try:
            looking.send(None)
        except StopIteration as found:
            kept: Connection | None = found.value
            return kept
        looking.close()
        return None

    def _where(self, origin: str) -> aiohttp.ClientRequest:
        """Return what aiohttp's pool wants to know about `origin`, made once."""
        if (known := self._origins.get(origin)) is not None:
            return known
        if len(self._origins) >= MOST_ORIGINS:
            self._origins.clear()
        try:
            url = URL(origin)
        except ValueError as error:
            raise aiohttp.InvalidURL(origin) from error
        made = aiohttp.ClientRequest("GET", url, loop=self._loop)
        self._origins[origin] = made
        return made

    async def _connect(self, where: aiohttp.ClientRequest) -> Connection:
        try:
            return await self._connector.connect(where, [], self._timeout)
        except TimeoutError as error:
            raise aiohttp.ConnectionTimeoutError("Connection timeout") from error


class Until:
    """Raises TimeoutError at `deadline`, as `asyncio.timeout_at` does for far more."""

    __slots__ = ("_alarm", "_before", "_deadline", "_loop", "_rang", "_task")

    def __init__(self, loop: asyncio.AbstractEventLoop, deadline: float) -> None:
        self._loop, self._deadline, self._rang = loop, deadline, False

    def __enter__(self) -> None:
        task = asyncio.current_task(self._loop)
        assert task is not None
        self._task, self._before = task, task.cancelling()
        self._alarm = self._loop.call_at(self._deadline, self._ring)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._alarm.cancel()
        if not self._rang:
            return
        # Somebody else may have wanted the task to end, too.
        alone = self._task.uncancel() <= self._before
        if alone and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def _ring(self) -> None:
        self._rang = True
        self._task.cancel()


@lru_cache(1_000)
def _usual(names: tuple[str, ...]) -> bool:
    return UNUSUAL.isdisjoint(name.lower() for name in names)


@lru_cache(1_000)
def _head(names: tuple[str, ...]) -> str:
    """Return the headers that everything sent here has, but for those in `names`."""
    own = {name.lower() for name in names}
    agent = policy.AGENT.items()
    return "".join(f"{n}: {v}\r\n" for n, v in agent if n.lower() not in own)
