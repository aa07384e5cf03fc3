"""One application, people who consent to it, and tokens with scopes."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

from providers.sandbox import clock
from providers.sandbox.banking import Banking
from providers.sandbox.wire import Answer, Asked, Declined

from . import errors

CLIENT: Final = {
    "client_id": "sandbox-application",
    "client_secret": "sandbox-secret",
}
CONSENT_LASTS: Final = 90 * 86400
SCOPES: Final = (
    "account:read",
    "account-list:read",
    "balance:read",
    "savings-goal:read",
    "savings-goal-transfer:create",
    "space:read",
    "transaction:read",
)


class Consent(Banking):
    """The part of the bank that decides who may ask what."""

    people = "holders"
    client = CLIENT
    token_lasts = 86400
    pot_word = "spaces"

    def wrong(self, field: str) -> Declined:
        return errors.oauth(400, *errors.WRONG[field])

    def known_client(self, wish: Mapping[str, str]) -> None:
        if wish.get("client_id") != CLIENT["client_id"]:
            raise errors.oauth(401, "invalid_client", "Unknown client")
        if urlsplit(wish.get("redirect_uri", "")).scheme not in ("http", "https"):
            raise errors.oauth(400, "invalid_request", "redirect_uri is no web address")

    # -- tokens

    def token(self, asked: Asked) -> Answer:
        """Exchange a code or a refresh token, once, for the pair that lives from now."""
        kind = asked.headers.get("content-type", "").partition(";")[0].strip()
        if kind != "application/x-www-form-urlencoded" or asked.body:
            raise errors.oauth(400, "invalid_request", "A form, in the query, is meant")
        wish = asked.query
        if {name: wish.get(name) for name in CLIENT} != CLIENT:
            raise errors.oauth(401, "invalid_client", "Bad client credentials")
        match wish.get("grant_type"):
            case "authorization_code":
                return self.by_code(wish)
            case "refresh_token":
                return self.by_refresh_token(wish)
        raise errors.oauth(400, "unsupported_grant_type", "Unknown grant type")

    def begun(self, who: str, since: float, approved: float) -> dict[str, Any]:
        return {
            "holder": who,
            "scopes": list(SCOPES),
            "approved": approved,
            "consent_ends": since + CONSENT_LASTS,
        }

    def told(self, who: str, grant: Mapping[str, Any]) -> dict[str, Any]:
        told = {"access_token": grant["access"], "refresh_token": grant["refresh"]}
        if self.settings.extra.get("tells_expiry", True):
            told |= {"token_type": "Bearer", "expires_in": self.token_lasts}
            told |= {"scope": " ".join(grant["scopes"])}
        return told

    # -- who asks

    def permit(self, asked: Asked) -> Mapping[str, Any]:
        """Return the grant by which `asked` is asked; raises the 401 that fits."""
        kind, _, given = asked.headers.get("authorization", "").partition(" ")
        if not given:
            raise errors.token("No access token provided in request.")
        personal: dict[str, Any] | None = self.ledger.topic("personal").get(given)
        if kind == "Bearer" and personal is not None:
            return personal
        holder = self.ledger.topic("access").get(given)
        if kind != "Bearer" or holder is None:
            raise errors.token()
        grant: dict[str, Any] = self.ledger.topics["grants"][holder]
        if grant["until"] < self.clock.timestamp():
            raise errors.token()
        return grant

    def holder(self, asked: Asked, *scopes: str) -> str:
        """Return whose token this is, if any of `scopes` was granted to it."""
        accept = asked.headers.get("accept", "*/*")
        if "application/json" not in accept and "*/*" not in accept:
            raise errors.no(406, "Not Acceptable")
        grant = self.permit(asked)
        approved, now = grant.get("approved"), self.clock.timestamp()
        waits = approved is None or approved > now
        granted = [] if waits else grant["scopes"]
        if not set(scopes) & set(granted):
            raise errors.scope(scopes, granted)
        return str(grant["holder"])

    def identity(self, asked: Asked) -> Answer:
        """Tell what a token is. A personal one has no end."""
        grant = self.permit(asked)
        told = {
            "accountHolderUid": grant["holder"],
            "scopes": grant["scopes"],
            "authenticated": True,
        }
        if "until" in grant:
            left = int(grant["until"] - self.clock.timestamp())
            told |= {"expiresAt": _text(grant["until"]), "expiresInSeconds": left}
        if self.settings.extra.get("tells_consent", True) and "consent_ends" in grant:
            told["consentExpiresAt"] = _text(grant["consent_ends"])
        return Answer.of(told)

    # -- what people do

    def personal_token(self, name: str, scopes: Sequence[str] = SCOPES) -> str:
        """Make a token in the developer portal, for one's own account."""
        given = secrets.token_urlsafe(32)
        grant = {
            "holder": self.ledger.topic("holders")[name],
            "scopes": list(scopes),
            "approved": self.clock.timestamp(),
        }
        self.ledger.put(("personal", given, grant))
        return given

    def delete_personal_token(self, token: str) -> None:
        self.ledger.put(("personal", token, None))

    def grant_scopes(self, name: str, scopes: Sequence[str]) -> None:
        """Let a consent cover these scopes only."""
        self.change_grant(name, scopes=list(scopes))


def _text(timestamp: float) -> str:
    return clock.text(datetime.fromtimestamp(timestamp, UTC))
