"""The pair of tokens that follows from consent in the browser, and whose it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import quote

from providers import oauth
from providers.base import Tokens
from providers.errors import (
    AuthenticationFailed,
    BadCredentials,
    ProviderError,
    UnexpectedResponse,
)
from providers.fields import text
from providers.wire import Call, Request

from .keys import Known, known

ACCEPT: Final = {"Accept": "application/json"}
FORM: Final = {**ACCEPT, **oauth.FORM}


def segment(id: str) -> str:
    """Return an id as a part of a path, which it cannot leave; raises UnexpectedResponse."""
    try:
        return quote(id, safe="")
    except UnicodeEncodeError as error:  # half a character, out of an answer
        raise UnexpectedResponse("An id holds what no address can") from error


class OAuth(oauth.CodeGrant):
    """Starling's OAuth 2: each refresh gives a new refresh token. Source: SDK, `oauth.js`.

    A personal access token needs none of it, and nobody but a person can replace it.
    """

    # In production tokens are given out for a client certificate only; whoever has one
    # lets `token` point to what presents it.
    hosts = {
        "api": "https://api.starlingbank.com",
        "oauth": "https://oauth.starlingbank.com",
        "token": "https://api.starlingbank.com",
    }

    consent_host = "oauth"

    @property
    def lacks_token(self) -> bool:
        given = self.credentials
        return not given.get("access_token") and bool(given.get("refresh_token"))

    def bearer(self, token: str | None = None) -> dict[str, str]:
        given = self.credentials.get("access_token", "") if token is None else token
        return {**ACCEPT, "Authorization": f"Bearer {given}"}

    def authorization_url(self, redirect_uri: str, state: str) -> str:
        """Return the page where a person consents; raises BadCredentials without a client."""
        if not self.credentials.get("client_id"):
            raise BadCredentials("Consent needs the client id of an application")
        return super().authorization_url(redirect_uri, state)

    def exchange(self, code: str, redirect_uri: str) -> Call[Tokens]:
        tokens = yield from super().exchange(code, redirect_uri)
        return (yield from self._named(tokens))

    def refresh(self) -> Call[Tokens]:
        if not self.credentials.get("refresh_token"):
            raise AuthenticationFailed(
                f"{self.name} rejected the personal access token: make a new one"
            )
        tokens = yield from super().refresh()
        if tokens.expires_in is None:
            tokens = yield from self._named(tokens)
        return tokens

    def token_request(self, grant: Mapping[str, str]) -> Request:
        client = {name: self.credentials.get(name, "") for name in oauth.CLIENT}
        params = tuple({**grant, **client}.items())
        path, host = "/oauth/access-token", "token"
        return Request("POST", path, host=host, params=params, headers=FORM)

    def tokens_in(self, body: Any) -> Tokens:
        lasts = body.get("expires_in")
        names = ("access_token", "refresh_token")
        return Tokens(
            {name: text(body[name]) for name in names},
            None if lasts is None else oauth.seconds(lasts),
        )

    def _named(self, tokens: Tokens) -> Call[Tokens]:
        """Add whose tokens these are, and until when, as the bank tells it of a token."""
        headers = self.bearer(tokens.credentials["access_token"])
        request = Request("GET", "/api/v2/identity/token", headers=headers)
        try:
            about: Known = yield from self.ask(request, known)
        except ProviderError:
            # The code is used up, and so is the old token: these are all there is.
            return tokens
        return replace(
            tokens,
            expires_in=tokens.expires_in or about.expires_in,
            user=about.holder,
            consent_ends=about.consent_ends,
        )
