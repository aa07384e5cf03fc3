"""Runs hundreds of calls at once: for syncs. The caller stays synchronous."""

from __future__ import annotations

import asyncio
import atexit
import os
from collections.abc import Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Lock, Thread
from time import monotonic
from typing import Any

import aiohttp

from providers.base import Provider
from providers.errors import ProviderError
from providers.wire import Call, Going, T

from . import gates, policy, public, tls
from .asking import Asking, Timely, all_or_none
from .harvest import Harvest
from .lane import Lane
from .loop import new_loop

IN_FLIGHT = 250  # calls at once: more would only cost more handshakes
CHUNK = 200  # results handed back together, …
LINGER = 0.25  # … or as many as came in so many seconds
KEEP_ALIVE = 30.0  # seconds for which an idle connection is kept
LOOK_UPS = 16  # of names that people typed, at once
CONNECT = 10.0  # seconds: hundreds of handshakes at once wait for each other
GRACE = 10.0  # seconds after which a loop that does not end is taken for dead


class Fleet:
    """One event loop in a thread of its own, and its sessions.

    One serves configured addresses, the other those that people typed.
    """

    def __init__(self, *, in_flight: int = IN_FLIGHT) -> None:
        self.in_flight = in_flight
        self.lost = False  # its loop did not answer in time
        self.loop = new_loop()
        self._helpers = ThreadPoolExecutor(2, thread_name_prefix="fleet-helper")
        self._thread = Thread(target=self._run, daemon=True, name="fleet")
        self._thread.start()
        # A name server that answers nobody holds up no other names than people's.
        self._names = ThreadPoolExecutor(LOOK_UPS, thread_name_prefix="fleet-names")
        self.session, self.public = self._do(self._open())
        lane = Lane(self.loop, self.session, CONNECT)
        self.asking = Asking(self.loop, self.session, self.public, lane, self._helpers)

    def run_all(
        self,
        jobs: Sequence[tuple[Provider, Call[T]]],
        *,
        seconds: float,
        least: float = 0.0,
    ) -> list[T | ProviderError]:
        """Return the answer or the failure of each call, in order, within `seconds`."""
        found: dict[int, T | ProviderError] = {}
        for chunk in self.run_each(jobs, seconds=seconds, least=least, chunk=len(jobs)):
            found.update(chunk)
        return [found[index] for index in range(len(jobs))]

    def run_each(
        self,
        jobs: Sequence[tuple[Provider, Call[T]]],
        *,
        seconds: float,
        least: float = 0.0,
        chunk: int = CHUNK,
        linger: float = LINGER,
    ) -> Iterator[list[tuple[int, T | ProviderError]]]:
        """Yield (index, answer or failure) in chunks as they come, all within `seconds`.

        A call has as many seconds from when it starts as its provider may take, and at
        least `least`. What is no ProviderError is a
        fault of the adapter: it is raised here, and the rest is given up.
        """
        ends = monotonic() + seconds
        harvest: Harvest[T] = Harvest(len(jobs), chunk)
        working = self._work(jobs, harvest, ends, least)
        running = asyncio.run_coroutine_threadsafe(working, self.loop)
        running.add_done_callback(harvest.stop)
        try:
            over = False
            while not over:
                if (over := running.done()) is False and monotonic() > ends + GRACE:
                    self.lost = True
                    raise RuntimeError("The loop of the fleet does not answer")
                if taken := harvest.take(0 if over else linger):
                    yield taken
            running.result()
        finally:
            running.cancel()

    def close(self) -> None:
        """Close the connections and end the thread."""
        self._do(self._hang_up())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self._helpers.shutdown()
        self._names.shutdown(wait=False)
        self.loop.close()

    def abandon(self) -> None:
        """Leave a loop that does not answer to itself: it ends when it answers again."""
        asyncio.run_coroutine_threadsafe(self._end(), self.loop)

    def _run(self) -> None:
        self.loop.run_forever()
        if self.lost:  # nobody waits for it
            self._helpers.shutdown(wait=False)
            self._names.shutdown(wait=False)
            self.loop.close()

    async def _end(self) -> None:
        # Each of them has a deadline, and somebody who may still hope for its result.
        if others := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(others)
        await self._hang_up()
        self.loop.stop()

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(GRACE)

    async def _open(self) -> tuple[aiohttp.ClientSession, aiohttp.ClientSession]:
        kept: dict[str, Any] = {"limit": 0, "keepalive_timeout": KEEP_ALIVE}
        usual = aiohttp.TCPConnector(ssl=tls.context(), **kept)
        return _session(usual), _session(public.connector(self._names, **kept))

    async def _hang_up(self) -> None:
        await self.session.close()
        await self.public.close()

    async def _work(
        self,
        jobs: Sequence[tuple[Provider, Call[T]]],
        harvest: Harvest[T],
        ends: float,
        least: float,
    ) -> None:
        waiting = iter(enumerate(jobs))

        async def work() -> None:
            for index, (provider, call) in waiting:
                longest = max(least, provider.deadline)
                deadline = min(ends, monotonic() + longest)
                harvest.put(index, await self._result(provider, call, deadline))

        count = min(self.in_flight, len(jobs))
        try:
            await all_or_none([work() for _ in range(count)])
        finally:
            self._tell()

    async def _result(
        self, provider: Provider, call: Call[T], deadline: float
    ) -> T | ProviderError:
        with closing(call):
            try:
                going = Going(call)
                while not going.over:
                    try:
                        answer = await self.asking.all_of(
                            provider, going.wanted, deadline
                        )
                    except ProviderError as error:
                        going.fail(error)
                    else:
                        going.answer(answer)
            except ProviderError as error:
                return error
            return going.result

    def _tell(self) -> None:
        # This process may not ask again for minutes: the others should know now.
        for gate in gates.all_gates():
            if gate.unreported:
                told = self.loop.run_in_executor(self._helpers, gate.flush)
                told.add_done_callback(asyncio.Future.result)


def _session(connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
    # A session serves many owners: nobody is sent somebody else's cookies.
    session = aiohttp.ClientSession(
        connector=connector,
        request_class=Timely,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers=policy.AGENT,
        skip_auto_headers=["Content-Type"],
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT),
    )
    # It would send a PUT again by itself when a kept connection breaks.
    session._retry_connection = False
    return session


_lock = Lock()
_fleets: list[Fleet] = []
_abandoned: list[Fleet] = []


def fleet() -> Fleet:
    """Return this process's fleet: one event loop, one session.

    One whose loop does not answer is given up for another.
    """
    with _lock:
        if _fleets and _fleets[0].lost:
            _fleets.pop().abandon()
        if not _fleets:
            _fleets.append(Fleet())
        return _fleets[0]


def close_all() -> None:
    """Close this process's fleet; the next call of `fleet` opens another."""
    with _lock:
        while _fleets:
            one = _fleets.pop()
            one.abandon() if one.lost else one.close()


def _after_fork() -> None:
    # The thread stayed with the parent. Closing its sockets is the parent's affair.
    global _lock
    _lock = Lock()
    _abandoned.extend(_fleets)
    _fleets.clear()


os.register_at_fork(after_in_child=_after_fork)
atexit.register(close_all)
