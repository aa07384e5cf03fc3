"""Carries the frames of WebSockets between aiohttp and an institution."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from aiohttp import WSMsgType, web

from .institution import Institution
from .sockets import Frame, Hear, Talk

BEAT = 0.25  # seconds


async def beat(institutions: Sequence[Institution]) -> None:
    """Let every open WebSocket hear what is due, until it is cancelled."""
    while True:
        for institution in institutions:
            if institution.talks:
                institution.beat_all()
        await asyncio.sleep(BEAT)


async def converse(
    request: web.BaseRequest,
    institution: Institution,
    talk: Talk,
    hear: Hear,
    awake: asyncio.Event,
) -> web.StreamResponse:
    """Hold one WebSocket until either side ends it."""
    socket = web.WebSocketResponse(autoping=False, autoclose=True)
    await socket.prepare(request)
    pump = asyncio.create_task(_pump(request, socket, talk, awake))
    try:
        async for message in socket:
            with institution.lock:
                _heard(talk, hear, message.type, message.data)
            if message.type is WSMsgType.PING:
                await socket.pong(message.data)
    finally:
        talk.closed = talk.closed or 1006
        pump.cancel()
    return socket


def _heard(talk: Talk, hear: Hear, kind: WSMsgType, data: object) -> None:
    if talk.closed is not None:
        return
    if kind is WSMsgType.TEXT and isinstance(data, str):
        hear(data)
    elif kind is WSMsgType.PONG and isinstance(data, bytes | bytearray):
        talk.pongs.append(bytes(data))


async def _pump(
    request: web.BaseRequest,
    socket: web.WebSocketResponse,
    talk: Talk,
    awake: asyncio.Event,
) -> None:
    """Send what is said, as soon as the line is free."""
    with suppress(ConnectionError):  # whoever reads from it will see that it is gone
        while not socket.closed:
            for frame in talk.ready():
                await _send(request, socket, frame)
            # A frozen line thaws without anybody waking us.
            with suppress(TimeoutError):
                await asyncio.wait_for(awake.wait(), BEAT)
            awake.clear()


async def _send(
    request: web.BaseRequest, socket: web.WebSocketResponse, frame: Frame
) -> None:
    if frame.abort:
        if request.transport is not None:
            request.transport.abort()
    elif frame.close is not None:
        await socket.close(code=frame.close)
    elif frame.ping is not None:
        await socket.ping(frame.ping)
    else:
        await socket.send_str(frame.text)
