"""How Coinbase is spoken to: tokens, refusals, and lists of many pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property, partial
from typing import Final
from urllib.parse import urlsplit

from providers.base import CredentialField, Limit, Provider, Trouble
from providers.errors import ConsentNeeded, Refused, UnexpectedResponse
from providers.wire import Call, Request, Response

from . import signing
from .fields import following, text

ROOT: Final = "/api/v3/brokerage"
PAGE: Final = "250"  # rows; more accounts are not given at once
MOST_PAGES: Final = 20  # of one list in one call

Answered = tuple[Request, Response]


class NoSuchOrder(Refused):
    """There is no order of that id."""


@dataclass(frozen=True, slots=True)
class Listed:
    """The pages of one list, as they were answered; `whole`: the last one is there."""

    name: str  # of the list, in each page
    pages: Sequence[Answered]
    whole: bool = True


class Speaking(Provider):
    """What every question to Coinbase has in common."""

    name = "Coinbase"
    hosts = {
        "api": "https://api.coinbase.com",
        "stream": "wss://advanced-trade-ws-user.coinbase.com",
    }
    fields = (
        CredentialField(
            "key_name",
            "Key name",
            secret=False,
            help="organizations/…/apiKeys/…, as the downloaded file has it",
        ),
        CredentialField(
            "private_key",
            "Private key",
            help="From -----BEGIN to END-----; its lines may have become one",
        ),
    )
    # They allow 30 in any second. Paced, and a little slower: in so short a window a
    # request that was on its way for longer would else be one too many.
    limits = {"api": Limit(2, 0.08, "counter", per="credential")}

    # -- speaking

    def get(self, path: str, *params: tuple[str, str]) -> Request:
        return Request("GET", path, params=params)

    @cached_property
    def key(self) -> signing.Key:
        """Return the key of these credentials; raises AuthenticationFailed."""
        given = self.credentials
        return signing.load(given.get("key_name", ""), given.get("private_key", ""))

    def sign(self, request: Request, now: datetime, nonce: int) -> Request:
        """Return `request` with a token for it; raises AuthenticationFailed.

        The token names the real host, wherever the request goes on its way there.
        """
        host = urlsplit(self.hosts[request.host]).netloc
        token = self.key.token(now, f"{request.method} {host}{request.path}")
        headers = {**request.headers, "Authorization": f"Bearer {token}"}
        return replace(request, headers=headers)

    def check(self, response: Response) -> None:
        """Raise what the answer's `error` means, else what its status does."""
        if response.status in (403, 404):
            code, message = _error(response)
            if code == "PERMISSION_DENIED":
                raise ConsentNeeded(f"{self.name}: {message}")
            if code == "NOT_FOUND" and "order" in message:
                raise NoSuchOrder
        super().check(response)

    def trouble(self, response: Response) -> Trouble | None:
        """Return what the base class says; the limit is that of one customer."""
        found = super().trouble(response)
        return replace(found, mine=True) if found and response.status == 429 else found

    def listed(self, first: Request, name: str) -> Call[Listed]:
        """Return the pages of a list, each where the last one ended."""
        pages: list[Answered] = []
        read, cursor = partial(following, name=name), ""
        while len(pages) < MOST_PAGES:
            more = (("cursor", cursor),) if cursor else ()
            asked = replace(first, params=(*first.params, *more))
            response = yield asked
            pages.append((asked, response))
            last, cursor = cursor, self.understand(asked, response, read)
            if not cursor:
                return Listed(name, pages)
            if cursor == last:
                raise UnexpectedResponse("A list does not go on after its page")
        return Listed(name, pages, whole=False)

    def whole(self, first: Request, name: str) -> Call[Listed]:
        """Return all pages of a list; raises UnexpectedResponse where it has no end."""
        found = yield from self.listed(first, name)
        if not found.whole:
            raise UnexpectedResponse(f"The list of {name} has no end")
        return found


def _error(response: Response) -> tuple[str, str]:
    """Return the code and the words of a refusal, empty where it has none."""
    try:
        body = response.json()
        return text(body["error"]), text(body["message"])[:200]
    except (ValueError, LookupError, TypeError):
        return "", ""
