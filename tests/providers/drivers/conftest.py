"""An institution that misbehaves on demand, and both drivers to reach it with."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from threading import Thread
from typing import Any

import pytest
from aiohttp import web

from providers.base import Provider
from providers.drivers import Blocking, Fleet, policy
from providers.errors import ProviderError
from providers.wire import Call, Request, Response

Behaviour = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Institution:
    """Records what arrived; `plan` holds how to answer, in order, after that well."""

    def __init__(self) -> None:
        self.seen: list[web.Request] = []
        self.bodies: list[bytes] = []
        self.peers: list[Any] = []
        self.plan: deque[Behaviour] = deque()
        self.at_once = self.most_at_once = 0

    @property
    def paths(self) -> list[str]:
        return [request.path for request in self.seen]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(request)
        self.peers.append(request.transport.get_extra_info("peername"))
        self.bodies.append(await request.read())
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        try:
            return await (self.plan.popleft() if self.plan else well)(request)
        finally:
            self.at_once -= 1


async def well(request: web.Request) -> web.StreamResponse:
    return web.json_response({"path": request.path_qs})


def status(number: int, **headers: str) -> Behaviour:
    async def behave(request: web.Request) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.json_response({}, status=number, headers=named)

    return behave


def body(data: bytes, **headers: str) -> Behaviour:
    async def behave(request: web.Request) -> web.StreamResponse:
        return web.Response(body=data, headers=headers)

    return behave


async def drop(request: web.Request) -> web.StreamResponse:
    """Act, then hang up without a word: all the client can know is that it was sent."""
    request.transport.abort()
    return web.Response()


def raw(*parts: bytes, pause: float = 0.0) -> Behaviour:
    """Write these bytes to the wire, a pause between them, and hang up."""

    async def behave(request: web.Request) -> web.StreamResponse:
        for part in parts:
            if request.transport is None or request.transport.is_closing():
                break
            request.transport.write(part)
            await asyncio.sleep(pause)
        await sent(request)
        if request.transport is not None:
            request.transport.abort()
        return web.Response()

    return behave


async def sent(request: web.Request) -> None:
    """Wait until what was written is on its way, or nobody reads it any more."""
    while (
        request.transport is not None
        and not request.transport.is_closing()
        and request.transport.get_write_buffer_size()
    ):
        await asyncio.sleep(0.01)


def slow(seconds: float) -> Behaviour:
    async def behave(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(seconds)
        return await well(request)

    return behave


def bomb() -> Behaviour:
    packed = gzip.compress(bytes(policy.LARGEST * 4))
    return body(packed, **{"Content-Encoding": "gzip"})


def lets_in(task: asyncio.Task) -> bool:
    """Say whether `task` is asyncio's own that lets somebody in who has connected."""
    return "_accept_connection" in task.get_coro().__qualname__


@contextmanager
def serving(
    institution: Institution, tls: ssl.SSLContext | None = None
) -> Iterator[str]:
    loop = asyncio.new_event_loop()
    app = web.Application(client_max_size=2**26)
    app.router.add_route("*", "/{tail:.*}", institution.answer)
    runner = web.AppRunner(
        app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True
    )

    async def start() -> int:
        await runner.setup()
        # Hundreds connect at once; a shorter queue would drop some of them.
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls, backlog=1024)
        await site.start()
        return runner.addresses[0][1]

    port = loop.run_until_complete(start())
    thread = Thread(target=loop.run_forever)
    thread.start()

    async def stop() -> None:
        while any(map(lets_in, asyncio.all_tasks())):
            await asyncio.sleep(0)  # or asyncio loses who comes while it closes
        for site in list(runner.sites):
            await site.stop()
        for connection in runner.server.connections:
            if connection.transport is not None:  # else it just hung up
                connection.transport.abort()  # TLS would wait for a goodbye
        await runner.cleanup()
        await asyncio.sleep(0.05)

    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{port}"
    finally:
        try:
            asyncio.run_coroutine_threadsafe(stop(), loop).result()
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()


@contextmanager
def reluctant(moment: datetime) -> Iterator[tuple[str, list[bytes]]]:
    """Let nobody connect before `moment`; yields where that is, and what was sent there."""
    seen: list[bytes] = []
    server = socket.create_server(("127.0.0.1", 0), backlog=0)
    address = server.getsockname()
    crowd = [socket.socket() for _ in range(4)]  # more than may wait to be let in
    for each in crowd:
        each.setblocking(False)
        each.connect_ex(address)

    def let_in() -> None:
        while datetime.now(UTC) < moment:
            time.sleep(0.01)
        for each in crowd:
            each.close()
        with suppress(OSError):  # the test is over
            while True:
                peer, _ = server.accept()
                with peer:
                    if asked := peer.recv(65_536):
                        seen.append(asked)
                        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    thread = Thread(target=let_in)
    thread.start()
    try:
        yield f"http://127.0.0.1:{address[1]}", seen
    finally:
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
        server.close()


class Bank(Provider):
    """An adapter that asks whatever a test wants asked."""

    name = "Bank"
    hosts = {"api": "http://bank.invalid"}
    fields = ()

    def observe(self) -> Call[Any]:
        return self.asking(Request("GET", "/balance"))

    def asking(self, *steps: Request | list[Request]) -> Call[Any]:
        answers = []
        for step in steps:
            answers.append((yield step))
        return answers[-1] if len(answers) == 1 else answers

    def reading(self, request: Request) -> Call[Any]:
        return self.ask(request, lambda found: found)

    def sign(self, request: Request, now: datetime, nonce: int) -> Request:
        token = self.credentials.get("token", "t")
        headers = {**request.headers, "Authorization": token, "Nonce": str(nonce)}
        return Request(
            request.method,
            request.path,
            request.host,
            request.params,
            headers,
            request.body,
            may_move_money=request.may_move_money,
        )


class SerialBank(Bank):
    serial = True


class OnBlocking:
    """Runs one call by the blocking driver."""

    def __init__(self) -> None:
        self.driver = Blocking()

    def __call__(self, bank: Bank, call: Call[Any], seconds: float = 10.0) -> Any:
        return self.driver.run(bank, call, deadline=seconds)


class OnFleet:
    """Runs one call by the fleet, and raises its failure as the blocking driver does."""

    def __init__(self) -> None:
        self.driver = Fleet()

    def __call__(self, bank: Bank, call: Call[Any], seconds: float = 10.0) -> Any:
        (found,) = self.driver.run_all([(bank, call)], seconds=seconds)
        if isinstance(found, ProviderError):
            raise found
        return found


@pytest.fixture(params=[OnBlocking, OnFleet])
def run(request):
    runner = request.param()
    yield runner
    runner.driver.close()


@pytest.fixture
def fleet():
    made = Fleet()
    yield made
    made.close()


@pytest.fixture
def institution():
    return Institution()


@pytest.fixture
def url(institution):
    with serving(institution) as address:
        yield address


@pytest.fixture
def bank(url):
    return Bank({"token": "t"}, {"api": url})


GET = Request("GET", "/balance")
PAY = Request("PUT", "/deposit", body=b"amount=1", may_move_money=True)


def is_well(response: Response) -> bool:
    return response.status == 200
