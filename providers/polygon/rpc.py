"""Several questions in one POST, and what each answer means. Source: JSON-RPC 2.0.

Nodes do not agree on codes: a revert is 3, -32603 or -32000, so errors are told apart by
their words first, and by their code where that has one meaning only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from providers.base import Provider
from providers.errors import (
    AuthenticationFailed,
    ConsentNeeded,
    ProviderError,
    RateLimited,
    Refused,
    Unavailable,
    UnexpectedResponse,
)
from providers.waiting import wait_asked
from providers.wire import Call, Request, Response

HEADERS: Final = {"Content-Type": "application/json"}
SLOW_DOWN: Final = frozenset({-32005, -32029, -32097, 429})
NOT_THERE: Final = frozenset({-32601, -32004})
MISUSED: Final = frozenset({-32600, -32602, -32700})
# How nodes turn down a list of questions as such; others answer with a single error.
NO_LISTS: Final = frozenset({400, 404, 405, 413, 415, 422})
TOO_FAST = re.compile(r"rate limit|too many request|throttl|capacity|quota", re.I)
BEHIND = re.compile(
    r"header not found|missing trie node|unknown block|block not found|"
    r"not found: block|(block|state).*not (yet )?available|no state available",
    re.I,
)
REVERTED = re.compile(r"revert", re.I)
WHO_ARE_YOU = re.compile(
    r"authenticat|unauthori[sz]ed|(invalid|missing|required).*(api|project)[ -]?(key|id)",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Ask:
    """One question; the answer is what `result` holds."""

    method: str
    params: tuple[Any, ...] = ()


class Speaks(Provider):
    """The part of the adapter that speaks JSON-RPC."""

    def __init__(
        self, credentials: Mapping[str, str], hosts: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(credentials, hosts)
        self._singly: set[str] = set()  # hosts that answer no lists

    def ask_all(
        self, host: str, asks: Sequence[Ask], patience: float | None = None
    ) -> Call[list[Any]]:
        """Return each answer, or the ProviderError that one question met.

        Raises what the whole request met. Where a node answers no lists, the questions
        are asked one after the other, in their order.
        """
        if host not in self._singly:
            rows = [_row(number, ask) for number, ask in enumerate(asks, 1)]
            request = _post(host, rows, patience)
            response = yield request
            if not self._refuses_lists(response):
                read = partial(_matched, asks)
                return self.understand(request, response, read)
            self._singly.add(host)
        found = []
        for number, ask in enumerate(asks, 1):
            request = _post(host, _row(number, ask), patience)
            response = yield request
            found.append(self.understand(request, response, partial(_only, number)))
        return found

    def check(self, response: Response) -> None:
        """Raise what a 4xx means, in the node's words where it has any."""
        if not 400 <= response.status < 500:
            return
        error = _error_in(response)
        words = f"{self.name} answered {response.status}"
        if error is not None:
            words = f"{words}: {error.get('message')!s:.200}"
        if response.status == 429:
            raise RateLimited(words, retry_after=wait_asked(response))
        if response.status == 403 and error is not None:
            raise ConsentNeeded(words)  # a plan or a network is not switched on
        if response.status in (401, 403):
            raise AuthenticationFailed(words)
        if error is not None and isinstance(found := meaning(error), RateLimited):
            raise found
        raise Refused(words)

    def _refuses_lists(self, response: Response) -> bool:
        """Say whether the answer to a list is one single error, or a plain no.

        Raises what such an error says of all requests.
        """
        if response.status in NO_LISTS:
            return True
        error = _error_in(response) if response.status == 200 else None
        if error is None:
            return False
        found = meaning(error)
        if isinstance(found, RateLimited | AuthenticationFailed):
            raise found
        return True


def need(outcome: Any) -> Any:
    """Return an answer, or raise the error that stands in its place."""
    if isinstance(outcome, ProviderError):
        raise outcome
    return outcome


def quantity(value: Any) -> int:
    """Return a number as nodes write it, 0x and digits; raises ValueError."""
    if not isinstance(value, str) or not re.fullmatch(
        r"0x(0|[1-9a-f][0-9a-f]{0,63})", value, re.ASCII
    ):
        raise ValueError(f"{value!r:.60} is no quantity")
    return int(value, 16)


def data(value: Any) -> bytes:
    """Return bytes as nodes write them, 0x and pairs of digits; raises ValueError."""
    if not isinstance(value, str) or not re.fullmatch(
        r"0x([0-9a-fA-F]{2})*", value, re.ASCII
    ):
        raise ValueError(f"{value!r:.60} is no data")
    return bytes.fromhex(value[2:])


def meaning(error: Any) -> ProviderError:
    """Return what a node's error means, by its words first."""
    code, message = error.get("code"), error.get("message")
    if type(code) is not int or not isinstance(message, str):
        return UnexpectedResponse("A node tells an error without a code or words")
    words = f"A node answers {code}: {message[:200]}"
    if REVERTED.search(message):
        return UnexpectedResponse(words)
    if BEHIND.search(message):
        return Unavailable(words)
    if code in SLOW_DOWN or TOO_FAST.search(message):
        return RateLimited(words)
    if WHO_ARE_YOU.search(message):
        return AuthenticationFailed(words)
    if code == 3 or code in NOT_THERE or code in MISUSED:
        return UnexpectedResponse(words)
    return Unavailable(words)


def _row(number: int, ask: Ask) -> dict[str, Any]:
    named = {"jsonrpc": "2.0", "id": number, "method": ask.method}
    return {**named, "params": list(ask.params)}


def _post(host: str, body: Any, patience: float | None) -> Request:
    written = json.dumps(body).encode()
    return Request("POST", "/", host, headers=HEADERS, body=written, patience=patience)


def _error_in(response: Response) -> dict[str, Any] | None:
    """Return the error of an answer that is nothing but one."""
    try:
        body = response.json()
    except ValueError:
        return None
    error = body.get("error") if isinstance(body, dict) else None
    return error if isinstance(error, dict) else None


def _matched(asks: Sequence[Ask], body: Any) -> list[Any]:
    """Return the answers in the order of the questions: a node may tell them in any."""
    if not isinstance(body, list):
        raise TypeError("A list of questions has no list of answers")
    found: dict[int, Any] = {}
    for row in body:
        number = row["id"]
        if type(number) is not int or not 1 <= number <= len(asks) or number in found:
            raise ValueError(f"{number!r:.60} is no question's number, or comes twice")
        found[number] = _outcome(row)
    silent = UnexpectedResponse("A node left a question unanswered")
    return [found.get(number, silent) for number in range(1, len(asks) + 1)]


def _only(number: int, row: Any) -> Any:
    if row["id"] != number or type(row["id"]) is not int:
        raise ValueError("This answers another question")
    return _outcome(row)


def _outcome(row: Any) -> Any:
    """Return what one answer holds: exactly one of a result and an error."""
    if row["jsonrpc"] != "2.0" or ("result" in row) == ("error" in row):
        raise ValueError("This is no answer of JSON-RPC 2.0")
    if "result" in row:
        return row["result"]
    error = row["error"]
    if not isinstance(error, dict):
        raise TypeError("This is no error of JSON-RPC 2.0")
    return meaning(error)
