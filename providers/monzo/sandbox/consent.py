"""One client, people who consent to it, and tokens of which one lives at a time."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from providers.sandbox.banking import Banking
from providers.sandbox.wire import Answer, Asked, Declined

from .errors import WRONG, bad, missing, no, token

CLIENT: Final = {
    "client_id": "oauth2client_sandbox",
    "client_secret": "mnzconf.sandbox",
}


class Consent(Banking):
    """The part of the bank that decides who may ask."""

    people = "users"
    client = CLIENT
    token_lasts = 21600

    def wrong(self, field: str) -> Declined:
        return no(*WRONG[field])

    def known_client(self, wish: Mapping[str, str]) -> None:
        for name in ("client_id", "redirect_uri"):
            if not wish.get(name):
                raise missing(name)
        if wish["client_id"] != CLIENT["client_id"]:
            raise no(401, "unauthorized.bad_client", "Unknown client")
        if urlsplit(wish["redirect_uri"]).scheme not in ("http", "https"):
            raise bad("redirect_uri", "must be a web address")

    # -- tokens

    def token(self, asked: Asked) -> Answer:
        """Exchange a code or a refresh token, once, for the pair that lives from now."""
        if "authorization" in asked.headers:
            self.bearer(asked)  # the gateway looks at the header first
        wish = fields_of(asked, "grant_type", "client_id", "client_secret")
        if {k: wish[k] for k in CLIENT} != CLIENT:
            raise no(401, "unauthorized.bad_client_credentials", "Bad client")
        if wish["grant_type"] == "authorization_code":
            return self.by_code(fields_of(asked, "code", "redirect_uri"))
        if wish["grant_type"] == "refresh_token":
            return self.by_refresh_token(fields_of(asked, "refresh_token"))
        raise bad("grant_type", "is not supported")

    def begun(self, who: str, since: float, approved: float) -> dict[str, Any]:
        return {"authenticated": since, "approved": approved}

    def fresh(self, kind: str, who: str) -> str:
        return f"{kind}_{who}_{secrets.token_urlsafe(16)}"

    def told(self, who: str, grant: Mapping[str, Any]) -> dict[str, Any]:
        fresh = {
            "access_token": grant["access"],
            "client_id": CLIENT["client_id"],
            "expires_in": self.token_lasts,
            "token_type": "Bearer",
            "user_id": who,
        }
        if self.settings.extra.get("confidential", True):
            fresh["refresh_token"] = grant["refresh"]
        return fresh

    def ended(self, who: str, ending: str = ".evicted") -> list[Any]:
        """Return what must be forgotten, and how the dead token is spoken of."""
        old = self.ledger.topic("grants").get(who)
        dead = [("dead", old["access"], ending)] if old else []
        return [*super().ended(who), *dead]

    # -- who asks

    def bearer(self, asked: Asked) -> str:
        """Return whose token this is; raises the 401 that says what is wrong with it."""
        kind, _, given = asked.headers.get("authorization", "").partition(" ")
        user: str | None = self.ledger.topics.get("access", {}).get(given)
        if kind != "Bearer" or user is None:
            raise token(self.ledger.topic("dead").get(given, ""))
        if self.ledger.topics["grants"][user]["until"] < self.clock.timestamp():
            raise token(".expired")
        return user

    def user(self, asked: Asked) -> str:
        """Return who asks and has approved it in the app."""
        user = self.bearer(asked)
        approved = self.ledger.topics["grants"][user]["approved"]
        if approved is None or approved > self.clock.timestamp():
            raise no(
                403,
                "forbidden.insufficient_permissions",
                "Access forbidden due to insufficient permissions",
            )
        return user

    def whoami(self, asked: Asked) -> Answer:
        user = self.bearer(asked)
        found = {"client_id": CLIENT["client_id"], "user_id": user}
        return Answer.of({"authenticated": True, **found})

    def logout(self, asked: Asked) -> Answer:
        user = self.bearer(asked)
        self.ledger.put(*self.ended(user, ""), ("grants", user, None))
        return Answer.of({})

    # -- what people do

    def reauthenticate(self, name: str) -> None:
        """Open the five minutes in which all history may be read."""
        self.change_grant(name, authenticated=self.clock.timestamp())


def fields_of(asked: Asked, *names: str) -> Mapping[str, str]:
    """Return the form that was sent; raises Declined where one of `names` is missing."""
    try:
        found = asked.form
    except ValueError as error:
        raise bad("body", str(error)) from error
    for name in names:
        if not found.get(name):
            raise missing(name)
    return found
