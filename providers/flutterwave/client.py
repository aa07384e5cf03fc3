"""Flutterwave's wallets. Source: developer.flutterwave.com, versions 3 and 4 of the API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property, partial
from typing import Any, Final
from uuid import uuid4

from providers import oauth
from providers.base import (
    Hint,
    Observation,
    Place,
    Provider,
    RenewsTokens,
    SendsWebhooks,
    Tokens,
    form,
)
from providers.errors import AuthenticationFailed, ConsentNeeded
from providers.fields import text
from providers.wire import Call, Request, Response

from . import balances, naming, realms, webhooks

TOKEN_PATH: Final = "/realms/flutterwave/protocol/openid-connect/token"
# A key that is missing or wrong is also told by these words, whatever the status.
BAD_KEY: Final = ("secret key required", "authorization required", "authorization key")


class Flutterwave(Provider, RenewsTokens, SendsWebhooks):
    """One business's wallets, by the version of the API that its credentials are for."""

    name = "Flutterwave"
    hosts = {
        "api": "https://api.flutterwave.com/v3",
        "v4": "https://f4bexperience.flutterwave.com",
        "v4_sandbox": "https://developersandbox-api.flutterwave.com",
        "auth": "https://idp.flutterwave.com",
    }
    fields = realms.FIELDS
    issued = ("access_token",)
    webhooks_where = (
        "In Flutterwave's dashboard, Settings → Webhooks, with the same secret hash"
    )

    @classmethod
    def check_credentials(cls, given: Mapping[str, str]) -> None:
        """Raise BadCredentials unless exactly one version's credentials are there."""
        realms.check(given)

    @cached_property
    def realm(self) -> realms.Realm:
        return realms.realm_of(self.credentials)

    # -- asking

    def get(self, path: str, *params: tuple[str, str]) -> Request:
        key = "secret_key" if self.realm.version == 3 else "access_token"
        headers = {
            "Authorization": f"Bearer {self.credentials.get(key, '')}",
            "Content-Type": "application/json",
        }
        return Request("GET", path, self.realm.host, params, headers)

    def sign(self, request: Request, now: datetime, nonce: int) -> Request:
        """Return `request` with an id of its own (v4). Source: docs, "API Headers"."""
        if not request.host.startswith("v4"):
            return request
        traced = {**request.headers, "X-Trace-Id": uuid4().hex}
        return replace(request, headers=traced)

    def check(self, response: Response) -> None:
        """Raise what a refusal means. Source: docs, "Common Errors", "API Headers"."""
        if 400 <= response.status < 500 and response.status != 429:
            words = _words(response)
            if any(known in words.lower() for known in BAD_KEY):
                raise AuthenticationFailed(f"{self.name}: {words}")
            if response.status == 403 and words:
                raise ConsentNeeded(f"{self.name}: {words}")
        super().check(response)

    def observe(self, known: Sequence[Place] = ()) -> Call[Observation]:
        """Return every wallet, one for each currency.

        Source: v3 "Get all transactions", for whose they are, and "Get wallet balances";
        v4 "Fetch wallet balance for multiple currencies". Raises BusinessUnknown.
        """
        if self.realm.version == 4:
            business = naming.of_client(self._given("client_id"))
            asked = self.get("/wallets/balances")
        else:
            # Each time: a key that was replaced may be another business's.
            listing = self.get("/transactions", ("page", "1"))
            business = yield from self.ask(listing, naming.merchant)
            asked = self.get("/balances")
        name = naming.namer(self.realm.name, business)
        parts = balances.PARTS[self.realm.version]
        return (yield from self.ask(asked, partial(balances.seen, name, parts)))

    def _given(self, name: str) -> str:
        return self.credentials.get(name, "")

    # -- tokens

    @property
    def lacks_token(self) -> bool:
        return self.realm.version == 4 and not self._given("access_token")

    def refresh(self) -> Call[Tokens]:
        """Return a token for the client's secret. Source: v4 docs, "Authentication".

        Raises AuthenticationFailed where only a person can go on.
        """
        if self.realm.version == 3:
            raise AuthenticationFailed("A secret key cannot be renewed, only replaced")
        body = form(
            client_id=self._given("client_id"),
            client_secret=self._given("client_secret"),
            grant_type="client_credentials",
        )
        asked = Request("POST", TOKEN_PATH, "auth", headers=oauth.FORM, body=body)
        return (yield from oauth.granted(self, asked, _tokens))

    # -- webhooks

    def hint(self, headers: Mapping[str, str], body: bytes) -> Hint:
        """Return what happened. Source: docs, "Webhooks", of the credentials' version."""
        secret = self._given("webhook_hash")
        return webhooks.hint(self.realm.version, secret, headers, body)


def _tokens(body: Any) -> Tokens:
    token, lasts = text(body["access_token"]), oauth.seconds(body["expires_in"])
    return Tokens({"access_token": token}, lasts)


def _words(response: Response) -> str:
    """Return what a refusal says in the envelope of either version, "" if in neither."""
    try:
        body = response.json()
        about = body["error"] if body.get("status") == "failed" else body
        words = about["message"]
    except (ValueError, LookupError, TypeError, AttributeError):
        return ""
    return words[:200] if isinstance(words, str) else ""
