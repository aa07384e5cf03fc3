"""Consent in the browser, and the pair of tokens that follows from it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from providers.base import Authorizes, Provider, Tokens, form
from providers.errors import AuthenticationFailed, Refused
from providers.wire import Call, Request


class OAuth(Provider, Authorizes):
    """Monzo's OAuth 2: the refresh token works once, one access token lives at a time.

    Source: monzo/docs, "Authentication". A token may do nothing until the person has
    approved it in the app; until then reads raise ConsentNeeded.
    """

    def authorization_url(self, redirect_uri: str, state: str) -> str:
        query = {
            "client_id": self.credentials["client_id"],
            "redirect_uri": redirect_uri,
            "response_type": "code",
            "state": state,
        }
        return f"{self.urls['auth'].rstrip('/')}/?{urlencode(query)}"

    def exchange(self, code: str, redirect_uri: str) -> Call[Tokens]:
        return (
            yield from self._tokens(
                grant_type="authorization_code", code=code, redirect_uri=redirect_uri
            )
        )

    def refresh(self) -> Call[Tokens]:
        return (
            yield from self._tokens(
                grant_type="refresh_token",
                refresh_token=self.credentials.get("refresh_token", ""),
            )
        )

    def _tokens(self, **grant: str) -> Call[Tokens]:
        # Without an Authorization header: the gateway looks at an expired one first.
        known = {k: self.credentials[k] for k in ("client_id", "client_secret")}
        request = Request(
            "POST", "/oauth2/token", headers=FORM, body=form(**grant, **known)
        )
        try:
            return (yield from self.ask(request, _read))
        except Refused as error:
            raise AuthenticationFailed(str(error)) from error


FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def _read(body: Any) -> Tokens:
    lasts = body["expires_in"]
    if type(lasts) is not int or lasts <= 0:
        raise ValueError(f"expires_in is {lasts!r}")
    # Only confidential clients are given a refresh token.
    pair = {
        "access_token": _text(body["access_token"]),
        "refresh_token": _text(body["refresh_token"])
        if "refresh_token" in body
        else "",
    }
    return Tokens(pair, lasts, _text(body["user_id"]))


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError("A token is a text")
    return value
