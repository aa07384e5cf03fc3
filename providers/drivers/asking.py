"""How one loop asks: it carries out what the policy wants done, many at once."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Coroutine, Sequence
from concurrent.futures import Executor
from contextlib import closing
from datetime import UTC, datetime
from time import monotonic
from typing import Any

import aiohttp
from aiohttp.connector import Connection
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from providers.addresses import AddressRefused
from providers.base import Provider
from providers.wire import Going, Request, Response, T

from . import gates, policy
from .effects import (
    Await,
    Barred,
    Consult,
    Effect,
    Failure,
    Lost,
    NotSent,
    Pause,
    Send,
    named,
)
from .lane import Flight, Lane, Until
from .lateness import before, too_late
from .line import body_of


class Asking:
    """Sends requests of any provider, each through its gate."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        session: aiohttp.ClientSession,
        public: aiohttp.ClientSession,
        lane: Lane,
        helpers: Executor,
    ) -> None:
        self._loop, self._helpers = loop, helpers
        self._session, self._public, self._lane = session, public, lane

    async def all_of(
        self, provider: Provider, wanted: Request | list[Request], deadline: float
    ) -> Response | list[Response]:
        """Return the answer, or the answers, to what a call wants; raises ProviderError."""
        if isinstance(wanted, Request):
            return await self.one(provider, wanted, deadline)
        return await self.many(provider, wanted, deadline)

    async def many(
        self, provider: Provider, wanted: list[Request], deadline: float
    ) -> list[Response]:
        """Return the answers, at once where that may be; raises ProviderError."""
        if not policy.together(provider, wanted):
            return [await self.one(provider, request, deadline) for request in wanted]
        flights: list[Flight | None] = []
        try:
            for request in wanted:
                flights.append(self._launch(provider, request, deadline))
            asked = [
                (provider, r, deadline, f) for r, f in zip(wanted, flights, strict=True)
            ]
            if None not in flights:  # all are on their way, without tasks of their own
                return [await self.one(*about) for about in asked]
            return await all_or_none([self.one(*about) for about in asked])
        finally:
            for flight in flights:
                if flight is not None:
                    flight.abandon()

    async def one(
        self,
        provider: Provider,
        request: Request,
        deadline: float,
        flight: Flight | None = None,
    ) -> Response:
        """Return the answer to `request`, which may be in flight; raises ProviderError."""
        gate = gates.gate_of(provider, request)
        outcome: policy.Outcome | None = None
        # The first attempt of `exchange`, bare.
        if flight is not None or policy.unhindered(provider, gate):
            began = monotonic() if flight is None else flight.began
            try:
                if flight is not None:
                    response = await self._heard(flight.land(), deadline)
                else:
                    send = policy.signed(provider, request, deadline)
                    response = await self._send(send)
            except Failure as failure:
                outcome = policy.unanswered(
                    provider, request, gate, failure, began=began
                )
            else:
                outcome = policy.answered(provider, gate, response, began=began)
                if response.status < 400:
                    return response
        return await self._take(
            policy.exchange(provider, request, gate, deadline, outcome)
        )

    def _launch(
        self, provider: Provider, request: Request, deadline: float
    ) -> Flight | None:
        """Send `request` now if nothing has to be waited for, a connection neither."""
        if not self._lane.ready or not policy.unhindered(
            provider, gates.gate_of(provider, request)
        ):
            return None
        send = policy.signed(provider, request, deadline)
        place = self._short(send)
        return self._lane.launch(place, send.request.headers) if place else None

    def _short(self, send: Send) -> re.Match[str] | None:
        """Return the parts of the address if the lane may take it: it judges none."""
        return None if send.anybodys else self._lane.takes(send.request, send.url)

    async def _take(self, steps: policy.Steps) -> Response:
        with closing(steps):
            going = Going(steps)
            while not going.over:
                try:
                    result = await self._perform(going.wanted)
                except Failure as failure:
                    going.fail(failure)
                else:
                    going.answer(result)
            return going.result

    async def _perform(self, effect: Effect) -> Any:
        match effect:
            case Send():
                return await self._send(effect)
            case Pause():
                return await asyncio.sleep(effect.seconds)
            case Consult():
                return await self._consult(effect)
            case Await():
                return await _came(effect)

    async def _consult(self, effect: Consult) -> object:
        asked = self._loop.run_in_executor(self._helpers, effect.work)
        if effect.wait:
            return await asked
        asked.add_done_callback(asyncio.Future.result)
        return None

    async def _send(self, send: Send) -> Response:
        if place := self._short(send):
            return await self._heard(
                self._lane.get(place, send.request.headers), send.deadline
            )
        return await self._heard(self._request(send), send.deadline)

    async def _heard(self, answer: Awaitable[Response], deadline: float) -> Response:
        """Return an answer if it comes by `deadline`; raises Failure."""
        try:
            with Until(self._loop, deadline):
                return await answer
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise NotSent(named(error)) from None
        except aiohttp.InvalidURL:
            raise NotSent("its address is none") from None
        except AddressRefused as error:
            raise Barred(str(error)) from None
        except (aiohttp.ClientError, HttpProcessingError, OSError) as error:
            raise Lost(named(error)) from None

    async def _request(self, send: Send) -> Response:
        request = send.request
        session = self._public if send.anybodys else self._session
        with before(send.not_after):
            async with session.request(
                request.method,
                URL(send.url, encoded=True),
                headers=request.headers,
                data=request.body or None,
                allow_redirects=False,
                timeout=patience(send) if request.may_move_money else session.timeout,
            ) as answer:
                body = await body_of(answer.content)
                return Response(answer.status, answer.headers, body)


class Timely(aiohttp.ClientRequest):
    """A request that is not sent once its last moment has passed: see `lateness`."""

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        """Send it over a connection that stands; raises ConnectionTimeoutError."""
        if too_late():
            raise aiohttp.ConnectionTimeoutError("It took too long to connect")
        return await super().send(conn)


def patience(order: Send) -> aiohttp.ClientTimeout:
    """Return how long connecting for an order may take, names and handshakes included.

    Who connects for longer would send it later than it may be sent. Raises NotSent.
    """
    left = None
    if order.not_after is not None:
        left = (order.not_after - datetime.now(UTC)).total_seconds()
        if left <= 0:
            raise NotSent("its last moment has passed")
    # aiohttp rounds longer times than `ceil_threshold` up to whole seconds.
    return aiohttp.ClientTimeout(
        total=None, connect=left, sock_connect=policy.CONNECT, ceil_threshold=3_600
    )


async def all_or_none(work: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """Return all results, or raise the first failure and give up the others."""
    tasks = [asyncio.ensure_future(one) for one in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


async def _came(effect: Await) -> bool:
    left = max(0.0, effect.deadline - monotonic())
    came, _ = await asyncio.wait([asyncio.wrap_future(effect.turn)], timeout=left)
    return bool(came)
