"""Consent by a code of OAuth 2, and the tokens that follow from it. Pure."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final
from urllib.parse import urlencode

from .base import Authorizes, Provider, Tokens
from .errors import AuthenticationFailed, Refused
from .wire import Call, Request

FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}
CLIENT: Final = ("client_id", "client_secret")


class CodeGrant(Provider, Authorizes):
    """Providers that give tokens for a code, and again for a refresh token (RFC 6749)."""

    consent_host: ClassVar[str]  # the key of the host whose first page asks people

    @abstractmethod
    def token_request(self, grant: Mapping[str, str]) -> Request:
        """Return the question for the tokens of a grant, with what proves the client."""

    @abstractmethod
    def tokens_in(self, body: Any) -> Tokens:
        """Return the tokens in an answer; raises ValueError, TypeError, LookupError."""

    def authorization_url(self, redirect_uri: str, state: str) -> str:
        query = {
            "client_id": self.credentials["client_id"],
            "redirect_uri": redirect_uri,
            "response_type": "code",
            "state": state,
        }
        return f"{self.urls[self.consent_host].rstrip('/')}/?{urlencode(query)}"

    def exchange(self, code: str, redirect_uri: str) -> Call[Tokens]:
        kind = "authorization_code"
        grant = {"grant_type": kind, "code": code, "redirect_uri": redirect_uri}
        return (yield from granted(self, self.token_request(grant), self.tokens_in))

    def refresh(self) -> Call[Tokens]:
        token = self.credentials.get("refresh_token", "")
        grant = {"grant_type": "refresh_token", "refresh_token": token}
        return (yield from granted(self, self.token_request(grant), self.tokens_in))


def granted(
    provider: Provider, request: Request, read: Callable[[Any], Tokens]
) -> Call[Tokens]:
    """Ask for tokens. Where they are refused, a person has to let us in anew."""
    try:
        return (yield from provider.ask(request, read))
    except Refused as error:
        raise AuthenticationFailed(str(error)) from error


def seconds(value: Any) -> int:
    """Return how long a token lasts; raises ValueError."""
    if type(value) is not int or value <= 0:
        raise ValueError(f"expires_in is {value!r:.60}")
    return value
