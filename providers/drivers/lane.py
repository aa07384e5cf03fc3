"""The short way of a plain GET: aiohttp's connections and its parser, and little else.

`ClientSession.request` is made for redirects, cookies, proxies, traces and uploads. A
sync wants none of them, and would spend more on them than on everything else.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from functools import lru_cache
from types import TracebackType
from typing import Any

import aiohttp
from aiohttp.connector import Connection
from yarl import URL

from providers.wire import Request, Response

from . import policy
from .effects import TooLarge

# What else stands in an address or says how a body is sent, aiohttp knows better.
PLAIN = re.compile(r"(?P<origin>https?://[A-Za-z0-9.:\[\]-]+)(?P<target>/[!\"$-~]*)")
UNUSUAL = frozenset(
    {"connection", "content-length", "expect", "host", "transfer-encoding", "upgrade"}
)
MOST_ORIGINS = 1_000  # remembered


class Lane:
    """Sends plain GETs over the connections that `session` keeps."""

    def __init__(self, session: aiohttp.ClientSession, connect: float) -> None:
        assert session.connector is not None
        self._connector = session.connector
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=connect)
        self._origins: dict[str, aiohttp.ClientRequest] = {}

    def takes(self, request: Request, url: str) -> re.Match[str] | None:
        """Return the parts of `url` if nothing about `request` is unusual."""
        if request.method != "GET" or request.body:
            return None
        return PLAIN.fullmatch(url) if _usual(tuple(request.headers)) else None

    async def get(self, place: re.Match[str], headers: Mapping[str, str]) -> Response:
        """Return the answer; raises what `ClientSession.request` would, and TooLarge."""
        origin, target = place.groups()
        where = self._origins.get(origin) or self._meet(origin)
        text = _head(tuple(headers))
        for name, value in headers.items():
            text += f"{name}: {value}\r\n"
        head = f"GET {target} HTTP/1.1\r\nHost: {where.headers['Host']}\r\n{text}\r\n"
        connection = await self._connect(where)
        try:
            answer = await _exchange(connection, head.encode())
        except BaseException:
            connection.close()
            raise
        connection.release()
        return answer

    def _meet(self, origin: str) -> aiohttp.ClientRequest:
        """Return what aiohttp's pool wants to know about `origin`, made once."""
        if len(self._origins) >= MOST_ORIGINS:
            self._origins.clear()
        try:
            url = URL(origin)
        except ValueError as error:
            raise aiohttp.InvalidURL(origin) from error
        loop = asyncio.get_running_loop()
        made = self._origins[origin] = aiohttp.ClientRequest("GET", url, loop=loop)
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


async def body_of(content: aiohttp.StreamReader) -> bytes:
    """Return what `content` holds, unpacked; raises TooLarge before it holds too much."""
    if content.is_eof() and content.total_bytes <= policy.LARGEST:
        return content.read_nowait()
    body = bytearray()
    async for part in content.iter_any():
        body += part
        if len(body) > policy.LARGEST:
            raise TooLarge(f"more than {policy.LARGEST} bytes")
    return bytes(body)


async def _exchange(connection: Connection, head: bytes) -> Response:
    protocol = connection.protocol
    assert protocol is not None
    protocol.set_response_params(read_until_eof=True)
    transport = protocol.transport
    if transport is None or transport.is_closing():
        raise aiohttp.ClientConnectionResetError("Cannot write to closing transport")
    transport.write(head)
    message: Any = None
    while message is None or (100 <= message.code < 200 and message.code != 101):
        message, content = await protocol.read()
    return Response(message.code, message.headers, await body_of(content))


@lru_cache(1_000)
def _usual(names: tuple[str, ...]) -> bool:
    return UNUSUAL.isdisjoint(name.lower() for name in names)


@lru_cache(1_000)
def _head(names: tuple[str, ...]) -> str:
    """Return the headers that everything sent here has, but for those in `names`."""
    own = {name.lower() for name in names}
    agent = policy.AGENT.items()
    return "".join(f"{n}: {v}\r\n" for n, v in agent if n.lower() not in own)
