"""Runs one call at a time: for rules, transfers, the admin and commands."""

from __future__ import annotations

import os
import time
from concurrent.futures import Future
from contextlib import closing
from threading import Lock
from time import monotonic
from typing import Any

import requests
from urllib3.exceptions import ConnectTimeoutError, HTTPError

from providers.addresses import AddressRefused
from providers.base import Provider
from providers.wire import Call, Going, Request, Response, T, drive

from . import clocked, gates, policy
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
    TooLarge,
    named,
)
from .gate import Gate
from .lateness import before

NO_ADDRESS = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
)


class Blocking:
    """Pooled sessions: one for configured addresses, and one for those people typed.

    With a `gate`, every request passes that one.
    """

    def __init__(self, gate: Gate | None = None) -> None:
        self.gate = gate
        self.session = clocked.session()
        self.public = clocked.session(clocked.PublicAdapter)

    def run(
        self, provider: Provider, call: Call[T], *, deadline: float | None = None
    ) -> T:
        """Return what `call` returns, within `deadline` seconds; raises ProviderError.

        Without one it is the provider's own.
        """
        ends = monotonic() + (provider.deadline if deadline is None else deadline)
        try:
            return drive(call, lambda request: self._ask(provider, request, ends))
        finally:
            self._tell()

    def close(self) -> None:
        """Close the connections that are kept alive."""
        self.session.close()
        self.public.close()

    def _ask(self, provider: Provider, request: Request, ends: float) -> Response:
        gate = self.gate or gates.gate_of(provider, request)
        with closing(policy.exchange(provider, request, gate, ends)) as steps:
            going = Going(steps)
            while not going.over:
                try:
                    result = self._perform(going.wanted)
                except Failure as failure:
                    going.fail(failure)
                else:
                    going.answer(result)
            return going.result

    def _perform(self, effect: Effect) -> Any:
        match effect:
            case Send():
                return self._send(effect)
            case Pause():
                return time.sleep(effect.seconds)
            case Consult():
                return effect.work()
            case Await():
                return _came(effect.turn, effect.deadline)

    def _send(self, effect: Send) -> Response:
        left = max(0.001, effect.deadline - monotonic())
        request = effect.request
        session = self.public if effect.anybodys else self.session
        try:
            with (
                before(effect.not_after),
                session.request(
                    request.method,
                    effect.url,
                    headers={**policy.AGENT, **request.headers},
                    data=request.body or None,
                    timeout=(min(policy.CONNECT, left), left),
                    allow_redirects=False,
                    stream=True,
                ) as answer,
            ):
                return Response(answer.status_code, answer.headers, _body(answer))
        except NO_ADDRESS:
            raise NotSent("its address is none") from None
        except AddressRefused as error:
            raise Barred(str(error)) from None
        except requests.RequestException as error:
            raise _failure(error) from None
        except HTTPError as error:
            raise Lost(named(error)) from None

    def _tell(self) -> None:
        # A worker may not ask again for minutes: the others should know now.
        for gate in [self.gate] if self.gate else gates.all_gates():
            if gate.unreported:
                gate.flush()


def _body(answer: requests.Response) -> bytes:
    body: bytes = answer.raw.read(policy.LARGEST + 1, decode_content=True)
    if len(body) > policy.LARGEST:
        raise TooLarge(f"more than {policy.LARGEST} bytes")
    return body


def _failure(error: requests.RequestException) -> NotSent | Lost:
    reason = getattr(error.args[0], "reason", None) if error.args else None
    if isinstance(reason, ConnectTimeoutError):
        return NotSent(named(reason))
    return Lost(named(error))


def _came(turn: Future[None], deadline: float) -> bool:
    try:
        turn.result(max(0.0, deadline - monotonic()))
    except TimeoutError:
        return False
    return True


_lock = Lock()
_drivers: dict[str, Blocking] = {}


def blocking(slug: str) -> Blocking:
    """Return this process's driver, and pool of connections, for one provider."""
    if (driver := _drivers.get(slug)) is not None:
        return driver
    with _lock:
        return _drivers.setdefault(slug, Blocking())


def _after_fork() -> None:
    # The parent's sockets must not be written to, nor its lock be waited for.
    global _lock
    _lock = Lock()
    _drivers.clear()


os.register_at_fork(after_in_child=_after_fork)
