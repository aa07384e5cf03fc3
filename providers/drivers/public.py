"""The way to addresses that anybody may type: to public ones, and to just those judged.

A name is looked up once and all that it means is judged; the connection goes to what was
found, so that it cannot mean something else a moment later.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from concurrent.futures import Executor
from functools import partial
from ipaddress import ip_address
from time import monotonic
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from providers.addresses import judge

from . import tls

Found = tuple[Any, Any, int, str, Any]  # as `socket.getaddrinfo` tells it
Option = tuple[int, int, int | bytes]
NUMERIC = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV


def looked_up(
    host: str, port: int, *, family: int = socket.AF_UNSPEC, loopback: bool = False
) -> list[Found]:
    """Return where `host` is; raises AddressRefused if any of it is not public, OSError."""
    try:
        found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
    except UnicodeError as error:
        raise OSError("It is no name") from error
    for *_, address in found:
        judge(ip_address(address[0]), loopback=loopback)
    return found


def connected(
    host: str, port: int, seconds: float, options: Iterable[Option] = ()
) -> socket.socket:
    """Return a socket that leads to `host`; raises AddressRefused, OSError.

    Its addresses are tried in their order, and have `seconds` together.
    """
    found = looked_up(host, port)
    ends, failure = monotonic() + seconds, OSError("It has no address")
    for left, one in zip(range(len(found), 0, -1), found, strict=True):
        try:
            return _opened(one, (ends - monotonic()) / left, options)
        except OSError as error:
            failure = error
    raise failure


def _opened(found: Found, seconds: float, options: Iterable[Option]) -> socket.socket:
    family, kind, protocol, _, address = found
    made = socket.socket(family, kind, protocol)
    try:
        for option in options:
            made.setsockopt(*option)
        made.settimeout(max(0.001, seconds))
        made.connect(address)
    except OSError:
        made.close()
        raise
    return made


def connector(
    helpers: Executor | None = None, *, loopback: bool = False, **options: Any
) -> aiohttp.TCPConnector:
    """Return a connector that refuses what is not public with AddressRefused.

    Names are looked up by `helpers`; `loopback` lets tests call this machine.
    """
    return aiohttp.TCPConnector(
        resolver=Resolver(helpers, loopback=loopback),
        socket_factory=partial(_socket, loopback),
        ssl=tls.context(),
        **options,
    )


class Resolver(AbstractResolver):
    """Resolves names to public addresses only."""

    def __init__(self, helpers: Executor | None, *, loopback: bool) -> None:
        self._helpers, self._loopback = helpers, loopback

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of `host`; raises AddressRefused, OSError."""
        look = partial(looked_up, host, port, family=family, loopback=self._loopback)
        found = await asyncio.get_running_loop().run_in_executor(self._helpers, look)
        return [_told(host, port, one) for one in found]

    async def close(self) -> None:
        """Hold nothing."""


def _told(host: str, port: int, found: Found) -> ResolveResult:
    family, _, protocol, _, address = found
    return ResolveResult(
        hostname=host,
        host=address[0],
        port=port,
        family=family,
        proto=protocol,
        flags=NUMERIC,
    )


def _socket(loopback: bool, found: Found) -> socket.socket:
    """Return a socket to connect to `found`; raises AddressRefused.

    An address that was typed as such is asked of no resolver: it is judged here.
    """
    family, kind, protocol, _, address = found
    judge(ip_address(address[0]), loopback=loopback)
    return socket.socket(family, kind, protocol)
