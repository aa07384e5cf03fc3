"""Consent in the browser, and the pair of tokens that follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final
from urllib.parse import quote, urlencode

from providers.base import Authorizes, Provider, Tokens
from providers.errors import (
    AuthenticationFailed,
    BadCredentials,
    ProviderError,
    Refused,
    UnexpectedResponse,
)
from providers.wire import Call, Request

from .keys import Known, known

ACCEPT: Final = {"Accept": "application/json"}
FORM: Final = {**ACCEPT, "Content-Type": "application/x-www-form-urlencoded"}
CLIENT: Final = ("client_id", "client_secret")


def segment(id: str) -> str:
    """Return an id as a part of a path, which it cannot leave; raises UnexpectedResponse."""
    try:
        return quote(id, safe="")
    except UnicodeEncodeError as error:  # half a character, out of an answer
        raise UnexpectedResponse("An id holds what no address can") from error


class OAuth(Provider, Authorizes):
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
        query = {
            "client_id": self.credentials["client_id"],
            "redirect_uri": redirect_uri,
            "response_type": "code",
            "state": state,
        }
        return f"{self.urls['oauth'].rstrip('/')}/?{urlencode(query)}"

    def exchange(self, code: str, redirect_uri: str) -> Call[Tokens]:
        tokens = yield from self._tokens(
            grant_type="authorization_code", code=code, redirect_uri=redirect_uri
        )
        return (yield from self._named(tokens))

    def refresh(self) -> Call[Tokens]:
        if not self.credentials.get("refresh_token"):
            raise AuthenticationFailed(
                f"{self.name} rejected the personal access token: make a new one"
            )
        tokens = yield from self._tokens(
            grant_type="refresh_token",
            refresh_token=self.credentials["refresh_token"],
        )
        if tokens.expires_in is None:
            tokens = yield from self._named(tokens)
        return tokens

    def _tokens(self, **grant: str) -> Call[Tokens]:
        client = {name: self.credentials.get(name, "") for name in CLIENT}
        params = tuple((grant | client).items())
        path, host = "/oauth/access-token", "token"
        request = Request("POST", path, host=host, params=params, headers=FORM)
        try:
            return (yield from self.ask(request, _read))
        except Refused as error:
            raise AuthenticationFailed(str(error)) from error

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


def _read(body: Mapping[str, Any]) -> Tokens:
    lasts = body.get("expires_in")
    if lasts is not None and (type(lasts) is not int or lasts <= 0):
        raise ValueError(f"expires_in is {lasts!r}")
    names = ("access_token", "refresh_token")
    return Tokens({name: _text(body[name]) for name in names}, lasts)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError("A token is a text")
    return value
