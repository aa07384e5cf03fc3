"""A fast lane for plain GETs, so that a benchmark measures its client and not us."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from aiohttp import web

from .wire import Answer, Dropped

Quick = tuple[Answer, float]
QuickHandler = Callable[[str, str, Mapping[str, str]], Quick]
IDLE = 3600.0  # seconds for which a connection is kept
PHRASES = {status.value: status.phrase for status in HTTPStatus}
# What a request with one of these wants, aiohttp knows better.
UNUSUAL = frozenset({"content-length", "expect", "transfer-encoding", "upgrade"})


class FastServer(web.Server):
    """aiohttp's server, with the fast lane in front of it on every connection."""

    def __init__(self, handler: Any, quick: QuickHandler) -> None:
        super().__init__(handler, access_log=None, keepalive_timeout=IDLE)
        self.quick = quick

    def __call__(self) -> web.RequestHandler:
        return Lane(self, asyncio.get_running_loop(), self.quick, **self._kwargs)


class Lane(web.RequestHandler):
    """One connection. What is no plain GET goes the usual way."""

    __slots__ = ("_quick",)

    def __init__(
        self, server: web.Server, loop: Any, quick: QuickHandler, **options: Any
    ) -> None:
        super().__init__(server, loop=loop, **options)
        self._quick = quick

    def data_received(self, data: bytes) -> None:
        asked = None if self._current_request or self._messages else plain_get(data)
        if asked is None or self.transport is None:
            super().data_received(data)
            return
        try:
            answer, delay = self._quick(*asked)
        except Dropped:
            self.transport.abort()
            return
        if delay:
            # One at a time on a connection, as HTTP/1.1 has it.
            self.transport.pause_reading()
            self._loop.call_later(delay, self._reply, answer)
        else:
            self._reply(answer, waited=False)

    def _reply(self, answer: Answer, *, waited: bool = True) -> None:
        transport = self.transport
        if transport is None or transport.is_closing():
            return
        raw = encode(answer)
        if answer.cut:
            transport.write(raw[: -len(answer.body) // 2])
            transport.close()
            return
        transport.write(raw)
        if waited:
            transport.resume_reading()


def plain_get(data: bytes) -> tuple[str, str, Mapping[str, str]] | None:
    """Return path, query and headers of a whole GET without anything unusual."""
    if not data.startswith(b"GET /") or data.find(b"\r\n\r\n") != len(data) - 4:
        return None
    first, *lines = data[:-4].decode("latin-1").split("\r\n")
    _, _, target = first.partition(" ")
    address, _, version = target.partition(" ")
    path, _, query = address.partition("?")
    if version != "HTTP/1.1" or path.count("/") < 2:
        return None
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    stays = headers.get("connection", "keep-alive").lower() == "keep-alive"
    return (path, query, headers) if stays and UNUSUAL.isdisjoint(headers) else None


def encode(answer: Answer) -> bytes:
    """Return an answer as HTTP/1.1."""
    more = "".join(f"{k}: {v}\r\n" for k, v in answer.headers.items())
    head = (
        f"HTTP/1.1 {answer.status} {PHRASES.get(answer.status, '')}\r\n"
        f"Content-Type: {answer.content_type}\r\n"
        f"Content-Length: {len(answer.body)}\r\n{more}\r\n"
    )
    return head.encode("latin-1") + answer.body
