"""How an adapter speaks: it yields requests, is sent responses, and does no I/O."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Generic, NoReturn, TypeVar
from urllib.parse import urlencode

from .errors import OutcomeUnknown, ProviderError, Unavailable, UnexpectedResponse
from .money import MoneyError

T = TypeVar("T")
W = TypeVar("W")
NESTED = {dict, list}
DEEPEST = 32  # levels of nesting a provider's answer may have
LONGEST_NUMBER = 100  # characters; longer ones cost quadratic time to read


@dataclass(frozen=True, slots=True)
class Request:
    """One question to a provider, not signed yet: the driver signs when it sends."""

    method: str
    path: str
    host: str = "api"  # a key of the adapter's `hosts`
    params: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    weight: int = 1  # what it costs of the provider's rate budget
    may_move_money: bool = False
    not_after: datetime | None = None  # from then on it must not be sent any more
    # Seconds for the one attempt there is, half of what is left at most: the adapter
    # asks elsewhere. None: attempts until the time is over.
    patience: float | None = None

    @property
    def lost(self) -> type[ProviderError]:
        """The error when no answer came. What may move money may have moved it."""
        return OutcomeUnknown if self.may_move_money else Unavailable

    @property
    def unreadable(self) -> type[ProviderError]:
        """The error when an answer came that makes no sense."""
        return OutcomeUnknown if self.may_move_money else UnexpectedResponse


@dataclass(frozen=True, slots=True)
class Response:
    """What came back. Headers are looked up in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body as strict JSON; raises ValueError on what could change an amount."""
        return parse_json(self.body)


def query(params: Iterable[tuple[str, str]]) -> str:
    """Return parameters as an address holds them; raises UnexpectedResponse.

    An id that a provider told may hold half a character, which no address can.
    """
    try:
        return urlencode(tuple(params))
    except UnicodeEncodeError as error:
        raise UnexpectedResponse("An id holds what no address can") from error


# A list is yielded where requests may go out together; its answer is a list too.
Call = Generator[Request | list[Request], Any, T]


class Going(Generic[W, T]):
    """A generator that is driven by hand: what it wants now, or what it came to.

    What it is sent, or has raised inside it, it meets at its `yield`.
    """

    wanted: W  # unless it is over
    result: T  # when it is over

    def __init__(self, steps: Generator[W, Any, T]) -> None:
        self._steps, self.over = steps, False
        self.answer(None)

    def answer(self, answer: Any) -> None:
        """Go on with an answer to what was wanted."""
        try:
            self.wanted = self._steps.send(answer)
        except StopIteration as done:
            self.over, self.result = True, done.value

    def fail(self, error: Exception) -> None:
        """Go on without an answer, because of `error`."""
        try:
            self.wanted = self._steps.throw(error)
        except StopIteration as done:
            self.over, self.result = True, done.value


def drive(call: Call[T], send: Callable[[Request], Response]) -> T:
    """Run `call` to its end with `send`, one request after the other.

    A ProviderError is raised inside the call, at its `yield`: an adapter may go on
    without that answer.
    """
    with closing(call):
        going = Going(call)
        while not going.over:
            try:
                answer = _answers(going.wanted, send)
            except ProviderError as error:
                going.fail(error)
            else:
                going.answer(answer)
        return going.result


def before(call: Call[T], until: datetime) -> Call[T]:
    """Make `call`, but send nothing that may move money from the moment `until` on.

    It is looked at when each request is sent, whatever that waited for.
    """

    def timely(request: Request) -> Request:
        if not request.may_move_money:
            return request
        return replace(request, not_after=until)

    return passed_on(call, timely)


def watched(call: Call[T], see: Callable[[Request], object]) -> Call[T]:
    """Make `call`, and let `see` have each of its requests before it goes out."""

    def seen(request: Request) -> Request:
        see(request)
        return request

    return passed_on(call, seen)


def passed_on(call: Call[T], change: Callable[[Request], Request]) -> Call[T]:
    """Make `call` with each of its requests as `change` returns it."""
    with closing(call):
        going = Going(call)
        while not going.over:
            wanted = going.wanted
            try:
                if isinstance(wanted, Request):
                    answer = yield change(wanted)
                else:
                    answer = yield [change(request) for request in wanted]
            except ProviderError as error:
                going.fail(error)
            else:
                going.answer(answer)
        return going.result


def _answers(
    wanted: Request | list[Request], send: Callable[[Request], Response]
) -> Response | list[Response]:
    if isinstance(wanted, Request):
        return send(wanted)
    return [send(request) for request in wanted]


def parse_json(body: bytes | str) -> Any:
    """Return `body` as JSON with exact numbers.

    Raises ValueError for NaN, infinities, duplicate keys, numbers of absurd length
    and nesting deeper than any provider needs (RFC 8259 leaves all of them open).
    """
    text = body if isinstance(body, str) else body.decode("utf-8-sig")
    try:
        found = DECODER.decode(text)
    except RecursionError as error:
        raise ValueError("The answer is nested too deeply") from error
    # Counting brackets is enough for most answers, and ten times as fast.
    if text.count("{") + text.count("[") > DEEPEST and _depth(found) > DEEPEST:
        raise ValueError("The answer is nested too deeply")
    return found


def _depth(value: Any) -> int:
    level, depth = ([value] if type(value) in NESTED else []), 0
    while level:
        depth += 1
        level = [c for v in level for c in _inside(v) if type(c) in NESTED]
    return depth


def _inside(value: Any) -> Iterable[Any]:
    return value.values() if type(value) is dict else value


def _exact(text: str) -> Decimal:
    try:
        value = Decimal(_bounded(text))
    except InvalidOperation as error:
        raise ValueError("No amount has such an exponent") from error
    # Without an exponent the length is bound enough.
    if ("e" in text or "E" in text) and not -400 <= value.adjusted() <= 400:
        raise ValueError("No amount is that large or that small")
    return value


def _integer(text: str) -> int:
    return int(_bounded(text))


def _bounded(text: str) -> str:
    if len(text) > LONGEST_NUMBER:
        raise MoneyError("No amount has that many digits")
    return text


def _refuse(literal: str) -> NoReturn:
    raise MoneyError(f"{literal} is not an amount")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(found := dict(pairs)) < len(pairs):
        raise ValueError("The same key occurs twice")
    return found


DECODER = json.JSONDecoder(
    parse_float=_exact,
    parse_int=_integer,
    parse_constant=_refuse,
    object_pairs_hook=_unique,
)
