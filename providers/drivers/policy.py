"""How a request is sent: when, how often, and what its failure means. Does no I/O.

Both drivers run these generators, as they run the adapters: they carry out the effects.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Generator
from datetime import UTC, datetime
from functools import cache
from time import monotonic
from typing import Any

from providers.base import Provider, Trouble
from providers.budget import Ration
from providers.errors import (
    AddressBarred,
    AuthenticationFailed,
    ProviderError,
    TooLate,
    Unavailable,
)
from providers.numbers import Numbers
from providers.waiting import wait_asked
from providers.wire import Request, Response, query

from .effects import (
    Await,
    Barred,
    Consult,
    Effect,
    Failure,
    NotSent,
    Pause,
    Send,
    TooLarge,
)
from .gate import Gate
from .queueing import CROWDED, nonces, numbered, paid, turns, weighed
from .rations import digest

CONNECT = 3.0  # seconds
LARGEST = 10 * 2**20  # bytes of one answer, unpacked
ATTEMPTS = 3  # of a read, within its deadline
FIRST_PAUSE = 0.2  # seconds before the second attempt; then it doubles
UNSENDABLE = re.compile(r"[\r\n\0]|[^\x00-\xff]")
PLAIN = re.compile(r"[A-Za-z0-9_.~-]*", re.ASCII).fullmatch
AGENT = {"User-Agent": "balsync", "Accept": "*/*", "Accept-Encoding": "gzip, deflate"}

Outcome = Response | ProviderError
Steps = Generator[Effect, Any, Response]
GateOf = Callable[[Provider, Request], Gate]


def exchange(
    provider: Provider,
    request: Request,
    gate: Gate,
    deadline: float,
    outcome: Outcome | None = None,
) -> Steps:
    """Return the answer to `request`, asked again where a repeat cannot move money.

    `outcome` is what came of the first attempt, where a driver made it itself.
    """
    once = _in_turn if provider.serial else _once
    for attempt in range(1, ATTEMPTS + 1):
        if outcome is None or attempt > 1:
            outcome = yield from once(provider, request, gate, deadline)
        pause = repeat_after(request, outcome, attempt)
        if pause is None or monotonic() + pause >= deadline:
            break
        yield Pause(pause)
    if isinstance(outcome, ProviderError):
        raise outcome
    assert outcome is not None
    return outcome


def unhindered(provider: Provider, gate: Gate) -> bool:
    """Say whether a request may go at once: nothing to ask, to pay or to wait for."""
    return gate.wide_open and not provider.serial


def answered(
    provider: Provider,
    gate: Gate,
    response: Response,
    *,
    probe: bool = False,
    began: float | None = None,
) -> Response:
    """Count an answer to what was sent at `began`, by this machine's clock; return it."""
    count(gate, trouble_of(provider, response), probe=probe, began=began)
    return response


def trouble_of(provider: Provider, response: Response) -> Trouble | None:
    """Return what an answer says about the provider's health."""
    fine = response.status < 400 and not provider.errors_in_body
    return None if fine else provider.trouble(response)


def count(
    gate: Gate,
    trouble: Trouble | None,
    *,
    probe: bool = False,
    began: float | None = None,
) -> None:
    """Count an answer. That one customer asks too much says nothing of the provider."""
    took = _since(began)
    if trouble is None or trouble.mine:
        gate.leave(ok=True, probe=probe, took=took)
    else:
        hold, kind = trouble.hold, trouble.category
        gate.leave(ok=False, probe=probe, hold=hold, kind=kind, took=took)


def unanswered(
    provider: Provider,
    request: Request,
    gate: Gate,
    failure: Failure,
    *,
    probe: bool = False,
    began: float | None = None,
) -> ProviderError:
    """Count a failure and return what it means."""
    if isinstance(failure, Barred):  # nobody was asked, which says nothing of them
        if probe:
            gate.withdraw()
        return AddressBarred(f"{provider.name}: {failure}")
    fine, took = isinstance(failure, TooLarge), _since(began)
    gate.leave(ok=fine, probe=probe, kind="unanswered", took=took)
    text = f"{provider.name}: {failure}"
    if isinstance(failure, NotSent):
        return Unavailable(text)
    if isinstance(failure, TooLarge):
        return request.unreadable(text)
    return request.lost(text)


def _since(began: float | None) -> float | None:
    return None if began is None else monotonic() - began


def together(provider: Provider, requests: list[Request]) -> bool:
    """Say whether these may be in flight at once."""
    return not provider.serial and not any(r.may_move_money for r in requests)


def repeat_after(request: Request, outcome: Outcome, attempt: int) -> float | None:
    """Return the seconds after which to ask again, or None: never what may move money."""
    if request.may_move_money or attempt >= ATTEMPTS or request.patience is not None:
        return None
    backoff = FIRST_PAUSE * 2 ** (attempt - 1) * random.uniform(0.5, 1.5)
    if isinstance(outcome, ProviderError):
        return backoff if isinstance(outcome, Unavailable) else None
    if outcome.status != 429 and outcome.status < 500:
        return None
    asked = wait_asked(outcome, datetime.now(UTC))
    # Those who were turned away together should not come back together.
    return backoff if asked is None else asked + random.uniform(0, backoff)


def signed(
    provider: Provider, request: Request, deadline: float, number: int | None = None
) -> Send:
    """Return the effect that sends `request`, signed now; raises what makes it pointless."""
    if monotonic() >= deadline:
        raise Unavailable("There was no time left to ask")
    moment = datetime.now(UTC)  # of the day: a machine may have slept meanwhile
    if request.not_after is not None and moment >= request.not_after:
        raise TooLate
    ready = provider.sign(request, moment, number or nonces.next())
    for value in ready.headers.values():
        if UNSENDABLE.search(value):
            raise AuthenticationFailed("The credentials hold what no header can")
    if request.patience is not None:
        now = monotonic()  # and leave as much again for whom is asked instead
        deadline = now + min(request.patience, (deadline - now) / 2)
    anybodys = provider.anybodys(ready.host)
    return Send(ready, address(provider, ready), deadline, anybodys, request.not_after)


def address(provider: Provider, request: Request) -> str:
    """Return where `request` goes, its parameters as `wire.query` writes them."""
    url = provider.url(request)
    if not request.params:
        return url
    plain = all(PLAIN(name) and PLAIN(value) for name, value in request.params)
    if plain:  # the same, in a quarter of the time
        return url + "?" + "&".join([f"{n}={v}" for n, v in request.params])
    return url + "?" + query(request.params)


@cache
def slug_of(adapter: type[Provider]) -> str:
    """Return the folder an adapter lives in, which is its slug."""
    package, _, rest = adapter.__module__.partition(".")
    return rest.partition(".")[0] if package == "providers" else adapter.__qualname__


def _in_turn(
    provider: Provider, request: Request, gate: Gate, deadline: float
) -> Generator[Effect, Any, Outcome]:
    key = digest(provider)
    turn = turns.take(key)
    try:
        if not turn.done() and not (yield Await(turn, deadline)):
            raise Unavailable(CROWDED)
        if gate.turnstile is None:
            return (yield from _once(provider, request, gate, deadline))
        numbers = gate.turnstile.of(provider)
        return (yield from _held(numbers, provider, request, gate, deadline))
    finally:
        turns.give(key, turn)


def _held(
    numbers: Numbers, provider: Provider, request: Request, gate: Gate, deadline: float
) -> Generator[Effect, Any, Outcome]:
    """Send `request` when no other process sends one of the same credentials."""
    number = yield from numbered(numbers, deadline)
    try:
        outcome = yield from _once(provider, request, gate, deadline, number)
    except ProviderError:
        yield Consult(numbers.give, wait=False)
        raise
    yield Consult(numbers.give, wait=False)
    return outcome


def _once(
    provider: Provider,
    request: Request,
    gate: Gate,
    deadline: float,
    number: int | None = None,
) -> Generator[Effect, Any, Outcome]:
    ration = gate.rations.of(provider) if gate.rations is not None else None
    if ration is not None or not gate.fresh:
        yield from _admitted(gate, ration, request.weight, deadline)
    probe, began = gate.enter(), monotonic()
    try:
        response: Response = yield signed(provider, request, deadline, number)
    except Failure as failure:
        return unanswered(provider, request, gate, failure, probe=probe, began=began)
    except BaseException:
        if probe:
            gate.withdraw()
        raise
    trouble = trouble_of(provider, response)
    count(gate, trouble, probe=probe, began=began)
    if ration is not None:
        yield from weighed(provider, ration, response, trouble)
    return response


def _admitted(
    gate: Gate, ration: Ration | None, weight: int, deadline: float
) -> Generator[Effect, Any, None]:
    yield from _looked(gate)
    gate.knock()
    if ration is not None and not ration.spend(weight):
        yield from paid(ration, weight, deadline)
        yield from _looked(gate)


def _looked(gate: Gate) -> Generator[Effect, Any, None]:
    if gate.fresh:
        return
    if gate.passable:
        gate.postpone()
        yield Consult(gate.flush, wait=False)
    else:
        yield Consult(gate.refresh)
