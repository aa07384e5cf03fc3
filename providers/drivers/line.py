"""One connection of aiohttp's, with a short way for answers that are plain and whole."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import aiohttp
from aiohttp.client_proto import ResponseHandler

from providers.wire import Response

from . import policy
from .effects import TooLarge

# RFC 9112, 4 and 5, and no more of it: all else is for aiohttp's parser to understand.
HEAD = re.compile(
    rb"HTTP/1\.1 ([2-5][0-9]{2}) [\t -~]*\r\n"
    rb"((?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t -~]*\r\n)*)\r\n"
)
LONGEST_HEAD = 8190  # bytes, as aiohttp has it for one line
# What says how a body is sent or packed.
UNUSUAL = frozenset({"transfer-encoding", "content-encoding", "trailer", "upgrade"})
WITHOUT_BODY = frozenset({204, 205, 304})


class Line(ResponseHandler):
    """What one request at a time is sent over."""

    _asked: asyncio.Future[Response | None] | None = None

    def ask(self, head: bytes) -> asyncio.Future[Response | None]:
        """Send a request and return its answer to come; None: `read_whole` tells it."""
        asked, transport = self._loop.create_future(), self.transport
        if transport is None or transport.is_closing():
            asked.set_exception(aiohttp.ClientConnectionResetError("It is closing"))
            return asked
        transport.write(head)
        self._asked = asked
        return asked

    async def read_whole(self) -> Response:
        """Return the answer that aiohttp's parser understands; raises TooLarge."""
        message: Any = None
        while message is None or (100 <= message.code < 200 and message.code != 101):
            message, content = await self.read()
        return Response(message.code, message.headers, await body_of(content))

    def data_received(self, data: bytes) -> None:
        if self._asked is None:
            super().data_received(data)
        elif (answer := whole(data)) is not None:
            self._tell(answer)
        else:
            self.set_response_params(read_until_eof=True)
            super().data_received(data)
            self._tell(None)

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self._tell(None)

    def _tell(self, answer: Response | None) -> None:
        asked, self._asked = self._asked, None
        if asked is not None and not asked.done():
            asked.set_result(answer)


def whole(data: bytes) -> Response | None:
    """Return the answer that `data` is; None if it is anything but one plain answer."""
    found = HEAD.match(data)
    if found is None or found.end() > LONGEST_HEAD:
        return None
    headers: dict[str, str] = {}
    lines = found[2].decode("ascii").split("\r\n")[:-1]
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip(" \t")
    status, body = int(found[1]), data[found.end() :]
    if len(headers) < len(lines) or not _plain(status, headers):
        return None
    length = headers.get("content-length", "")
    return Response(status, headers, body) if length == str(len(body)) else None


def _plain(status: int, headers: dict[str, str]) -> bool:
    stays = headers.get("connection", "keep-alive").lower() == "keep-alive"
    return stays and status not in WITHOUT_BODY and UNUSUAL.isdisjoint(headers)


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
