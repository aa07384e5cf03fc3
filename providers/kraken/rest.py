"""How Kraken's REST interface is asked: signed forms, and answers that hold errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar, Final

from providers.base import CredentialField, Limit, Provider, Trouble, form
from providers.money import Asset
from providers.trading import Market
from providers.wire import Call, Request, Response, T

from .names import assets_of, markets_of
from .replies import StaleNonce, result_of, text_of, trouble_in
from .signing import api_sign

FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}


class Rest(Provider):
    """One API key. Its requests go one after the other, because their nonces must grow."""

    name = "Kraken"
    hosts: ClassVar[Mapping[str, str]] = {
        "api": "https://api.kraken.com",
        # The same place: what is public is counted by address and not by key.
        "public": "https://api.kraken.com",
        "stream": "wss://ws-auth.kraken.com",
    }
    fields = (
        CredentialField("api_key", "API key", secret=False),
        CredentialField(
            "api_secret",
            "Private key",
            help="Give the key the permissions to query funds, open and closed "
            "orders and trades, and to access the WebSockets API; no other.",
        ),
    )
    serial = True
    errors_in_body = True
    # No answer tells a customer's tier, so every key is taken for one of the lowest.
    limits: ClassVar[Mapping[str, Limit]] = {
        "api": Limit(15, 15 / 0.33, "counter", "credential"),
        # "Once a second or less" is documented to be safe; so are ten at once, rarely.
        "public": Limit(10, 10.0),
        # Connections: about 150 in ten minutes are said to be let through.
        "stream": Limit(150, 600.0),
    }

    def __init__(
        self, credentials: Mapping[str, str], hosts: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(credentials, hosts)
        self._markets: Mapping[str, Market] = {}  # read once by each adapter

    def private(self, verb: str, weight: int = 1, **fields: str | int) -> Request:
        """Return a request about the customer; `sign` puts the nonce before its fields."""
        path = f"/0/private/{verb}"
        return Request("POST", path, headers=FORM, body=form(**fields), weight=weight)

    def public(self, verb: str, *params: tuple[str, str]) -> Request:
        return Request("GET", f"/0/public/{verb}", host="public", params=params)

    def sign(self, request: Request, now: datetime, nonce: int) -> Request:
        """Return `request` with a nonce and `API-Sign`; what is public goes as it is."""
        if request.host != "api":
            return request
        body = b"&".join(part for part in (form(nonce=nonce), request.body) if part)
        signature = api_sign(
            self.credentials.get("api_secret", ""), request.path, nonce, body
        )
        proof = {
            "API-Key": self.credentials.get("api_key", ""),
            "API-Sign": signature,
        }
        return replace(request, headers={**request.headers, **proof}, body=body)

    def trouble(self, response: Response) -> Trouble | None:
        """Return what an answer says about Kraken's health: errors come with 200, too."""
        if response.status == 200:
            return trouble_in(response)
        return super().trouble(response)

    def understand(
        self, request: Request, response: Response, read: Callable[[Any], T]
    ) -> T:
        """Return what `read` finds in the result; raises what an error in it means."""
        return super().understand(request, response, lambda body: read(result_of(body)))

    def ask(self, request: Request, read: Callable[[Any], T]) -> Call[T]:
        """Ask, and once more with a new nonce where another one had overtaken it."""
        try:
            return (yield from super().ask(request, read))
        except StaleNonce:
            return (yield from super().ask(request, read))

    def owner(self) -> Call[str]:
        """Return the number of the customer's account, which is the same for all keys."""
        return (yield from self.ask(self.private("GetApiKeyInfo"), owner_of))

    def assets(self) -> Call[Mapping[str, Asset]]:
        """Return every asset by its REST name. Source: docs, "Get Asset Info"."""
        return (yield from self.ask(self.public("Assets"), assets_of))

    def markets(self) -> Call[Mapping[str, Market]]:
        """Return every market by its names. Source: docs, "Get Tradable Asset Pairs"."""
        if not self._markets:
            self._markets = yield from self.ask(self.public("AssetPairs"), markets_of)
        return self._markets


def owner_of(result: Any) -> str:
    """Return the account's own number without the blanks it is written with."""
    owner = text_of(result, "iban").replace(" ", "")
    if not (owner.isascii() and owner.isalnum()):
        raise ValueError(f"{owner!r:.60} is no account's number")
    return owner
