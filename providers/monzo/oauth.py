"""The pair of tokens that follows from consent in the browser."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from providers import oauth
from providers.base import Tokens, form
from providers.fields import text
from providers.wire import Request


class OAuth(oauth.CodeGrant):
    """Monzo's OAuth 2: the refresh token works once, one access token lives at a time.

    Source: monzo/docs, "Authentication". A token may do nothing until the person has
    approved it in the app; until then reads raise ConsentNeeded.
    """

    consent_host = "auth"

    def token_request(self, grant: Mapping[str, str]) -> Request:
        # Without an Authorization header: the gateway looks at an expired one first.
        known = {name: self.credentials[name] for name in oauth.CLIENT}
        body = form(**grant, **known)
        return Request("POST", "/oauth2/token", headers=oauth.FORM, body=body)

    def tokens_in(self, body: Any) -> Tokens:
        # Only confidential clients are given a refresh token.
        again = text(body["refresh_token"]) if "refresh_token" in body else ""
        pair = {"access_token": text(body["access_token"]), "refresh_token": again}
        return Tokens(pair, oauth.seconds(body["expires_in"]), text(body["user_id"]))
