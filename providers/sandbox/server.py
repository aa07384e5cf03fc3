"""One server for all institutions: `/<slug>/…` is the institution, `/_control/…` is ours."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import Any

from aiohttp import web

import providers

from . import registry
from .callbacks import deliver
from .clock import Clock
from .control import Control
from .converse import beat, converse
from .fast import FastServer, Quick
from .institution import Institution
from .wire import Answer, Asked, Dropped

LARGEST_BODY = 64 * 2**20  # a whole world may be asked for at once


class Sandbox:
    """Every institution there is, or those asked for, on one clock."""

    def __init__(self, state: Path | None = None, *slugs: str) -> None:
        self.clock = Clock()
        self.institutions = {
            slug: registry.create(slug, state, self.clock)
            for slug in slugs or registry.slugs()
        }
        self.control = Control(self.institutions, self.clock)
        self.url = ""

    def __getitem__(self, slug: str) -> Institution:
        return self.institutions[slug]

    def hosts(self, slug: str) -> dict[str, str]:
        """Return where each host of a provider is, as its adapter takes them."""
        mounts = self.institutions[slug].mounts
        hosts = providers.load(slug).hosts
        return {
            key: _scheme(hosts.get(key, ""), f"{self.url}/{slug}{path}")
            for key, path in mounts.items()
        }

    def urls(self) -> dict[str, dict[str, str]]:
        """Return the hosts of every provider, as `BALSYNC_PROVIDER_URLS` takes them."""
        return {slug: self.hosts(slug) for slug in self.institutions}

    async def start(self, port: int = 0) -> web.ServerRunner:
        """Listen on this machine only; the address is in `url` afterwards."""
        runner = web.ServerRunner(FastServer(self.handle, self.quick))
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port, backlog=1024)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return runner

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """Deliver webhooks, and let open WebSockets hear what is due."""
        everybody = list(self.institutions.values())
        work = [
            asyncio.create_task(deliver(everybody)),
            asyncio.create_task(beat(everybody)),
        ]
        try:
            yield
        finally:
            for task in work:
                task.cancel()
            done, _ = await asyncio.wait(work)
            for task in done:
                if not task.cancelled():
                    task.result()  # what ended it is said, not lost

    def close(self) -> None:
        for institution in self.institutions.values():
            institution.close()

    def quick(self, path: str, query: str, headers: Mapping[str, str]) -> Quick:
        """Answer a GET of an institution; the seconds say when. Raises Dropped."""
        slug, rest = self._place(path)
        answer, latency = self._answer(slug, Asked("GET", rest, query, headers))
        return answer, answer.delay + latency

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one HTTP request, with the delay or the break its answer has."""
        path, _, query = request.raw_path.partition("?")
        slug, rest = self._place(path)
        body = await request.read() if request.body_exists else b""
        headers = {k.lower(): v for k, v in request.headers.items()}
        asked = Asked(request.method, rest, query, headers, body)
        if headers.get("upgrade", "").lower() == "websocket":
            return await self._converse(request, slug, asked)
        try:
            answer, latency = self._answer(slug, asked)
        except Dropped:
            return _hang_up(request)
        if answer.delay or latency:
            await asyncio.sleep(answer.delay + latency)
        return await _cut(request, answer) if answer.cut else _whole(answer)

    def _place(self, path: str) -> tuple[str, str]:
        """Return whose path this is, and what of it is theirs.

        An only institution needs no name, as some clients speak to a whole host only.
        """
        slug, _, rest = path[1:].partition("/")
        known = slug == "_control" or slug in self.institutions
        if not known and len(self.institutions) == 1:
            return next(iter(self.institutions)), path
        return slug, f"/{rest}"

    async def _converse(
        self, request: web.BaseRequest, slug: str, asked: Asked
    ) -> web.StreamResponse:
        """Hold one WebSocket until either side ends it."""
        institution = self.institutions.get(slug)
        if institution is None:
            return _whole(Answer.of({"institutions": sorted(self.institutions)}, 404))
        loop, awake = asyncio.get_running_loop(), asyncio.Event()
        opened = institution.connect(asked, partial(_wake, loop, awake))
        if isinstance(opened, Answer):
            return _whole(opened)
        talk, hear = opened
        try:
            return await converse(request, institution, talk, hear, awake)
        finally:
            institution.leave(talk)

    def _answer(self, slug: str, asked: Asked) -> tuple[Answer, float]:
        if slug == "_control":
            return self.control.answer(asked), 0.0
        institution = self.institutions.get(slug)
        if institution is None:
            return Answer.of({"institutions": sorted(self.institutions)}, 404), 0.0
        return institution.answer(asked), institution.settings.latency


def _whole(answer: Answer) -> web.Response:
    headers = {**answer.headers, "Content-Type": answer.content_type}
    return web.Response(body=answer.body, status=answer.status, headers=headers)


async def _cut(request: web.BaseRequest, answer: Answer) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status, headers=answer.headers)
    response.content_length = len(answer.body)
    await response.prepare(request)
    await response.write(answer.body[: len(answer.body) // 2])
    _hang_up(request)
    return response


def _hang_up(request: web.BaseRequest) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _scheme(real: str, url: str) -> str:
    """Return `url` as a WebSocket's address where the real host is one."""
    return url.replace("http", "ws", 1) if real.startswith("ws") else url


def _wake(loop: asyncio.AbstractEventLoop, awake: asyncio.Event) -> None:
    with suppress(RuntimeError):  # the loop may have ended with the server
        loop.call_soon_threadsafe(awake.set)


async def _run(sandbox: Sandbox, port: int, ready: Event, stop: asyncio.Event) -> None:
    runner = await sandbox.start(port)
    ready.set()
    try:
        async with sandbox.at_work():
            await stop.wait()
    finally:
        await runner.cleanup()


@contextmanager
def serve(
    *slugs: str,
    state: Path | None = None,
    port: int = 0,
    settings: Mapping[str, Any] | None = None,
) -> Iterator[Sandbox]:
    """Run the sandbox in a thread of this process, and hand out its inside."""
    sandbox, ready = Sandbox(state, *slugs), Event()
    for institution in sandbox.institutions.values():
        institution.configure(**(settings or {}))
    loop, stop = asyncio.new_event_loop(), asyncio.Event()
    running = _run(sandbox, port, ready, stop)
    thread = Thread(target=loop.run_until_complete, args=(running,), daemon=True)
    thread.start()
    if not ready.wait(10):
        raise TimeoutError("The sandbox did not start")
    try:
        yield sandbox
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()
        sandbox.close()
