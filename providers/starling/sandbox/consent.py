"""Applications, people who consent, and tokens with scopes."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from providers.sandbox import clock
from providers.sandbox.institution import Institution
from providers.sandbox.wire import Answer, Asked

from . import errors

CLIENT = {"client_id": "sandbox-application", "client_secret": "sandbox-secret"}
LASTS = 86400  # seconds of an access token
CODE_LASTS = 600
CONSENT_LASTS = 90 * 86400
SCOPES = (
    "account:read",
    "account-list:read",
    "balance:read",
    "savings-goal:read",
    "savings-goal-transfer:create",
    "space:read",
    "transaction:read",
)
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Sandbox bank</title>
<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">
<style>body{{font:16px/1.5 system-ui;max-width:26rem;margin:4rem auto;padding:0 1rem}}
button{{font:inherit;padding:.6rem 1rem;margin:.25rem 0;width:100%}}</style>
<h1>Sandbox bank</h1><p><b>{client}</b> asks to see your accounts and to move money between
your spaces. Nothing here is real.</p><form method="post" action="approve">{fields}{people}</form></html>"""


class Consent(Institution):
    """The part of the bank that decides who may ask what."""

    # -- in the browser

    def consent_page(self, asked: Asked) -> Answer:
        """Show who wants what, with a button for everybody who could agree."""
        wish = asked.query
        self._known_client(wish)
        if wish.get("response_type") != "code":
            raise errors.oauth(400, "unsupported_response_type", "must be code")
        self.demo_world()
        fields = "".join(
            f'<input type="hidden" name="{name}" value="{escape(wish.get(name, ""))}">'
            for name in ("client_id", "redirect_uri", "state")
        )
        people = "".join(
            f'<button name="name" value="{escape(name)}">Continue as {escape(name)}</button>'
            for name in self.customers()[:10]
        )
        page = PAGE.format(
            client=escape(wish["client_id"]), fields=fields, people=people
        )
        return Answer(page.encode(), content_type="text/html; charset=utf-8")

    def approve_page(self, asked: Asked) -> Answer:
        """Send the browser back with a code, as after the button was pressed."""
        wish = asked.form
        self._known_client(wish)
        if wish.get("name") not in self.ledger.topic("holders"):
            raise errors.oauth(400, "access_denied", "Nobody is called that")
        code = secrets.token_urlsafe(24)
        given = {
            "holder": self.ledger.topic("holders")[wish["name"]],
            "redirect_uri": wish["redirect_uri"],
            "until": self.clock.timestamp() + CODE_LASTS,
        }
        self.ledger.put(("codes", code, given))
        back = urlencode({"code": code, "state": wish.get("state", "")})
        joint = "&" if urlsplit(wish["redirect_uri"]).query else "?"
        place = {"Location": f"{wish['redirect_uri']}{joint}{back}"}
        return Answer(b"", 302, place, "text/html")

    def _known_client(self, wish: Mapping[str, str]) -> None:
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
                return self._by_code(wish)
            case "refresh_token":
                return self._by_refresh_token(wish)
        raise errors.oauth(400, "unsupported_grant_type", "Unknown grant type")

    def _by_code(self, wish: Mapping[str, str]) -> Answer:
        code = wish.get("code", "")
        given = self.ledger.topic("codes").get(code)
        if given is None or given["until"] < self.clock.timestamp():
            raise errors.oauth(400, "invalid_grant", "Bad authorization code")
        if given["redirect_uri"] != wish.get("redirect_uri"):
            raise errors.oauth(400, "invalid_grant", "Another redirect_uri")
        now = self.clock.timestamp()
        grant = self.grant(
            given["holder"],
            approved=now + self.settings.approval_seconds,
            consent_ends=now + CONSENT_LASTS,
        )
        return self._pair(grant, ("codes", code, None))

    def _by_refresh_token(self, wish: Mapping[str, str]) -> Answer:
        holder = self.ledger.topic("refresh").get(wish.get("refresh_token", ""))
        if holder is None:
            raise errors.oauth(400, "invalid_grant", "Bad refresh token")
        known = self.ledger.topic("grants")[holder]
        kept = {k: known[k] for k in ("approved", "consent_ends", "scopes")}
        return self._pair(self.grant(holder, **kept))

    def _pair(self, grant: Mapping[str, Any], *used: Any) -> Answer:
        self.ledger.put(*used, *self.ended(grant["holder"]), *self.granted(grant))
        told = {"access_token": grant["access"], "refresh_token": grant["refresh"]}
        if self.settings.extra.get("tells_expiry", True):
            told |= {"token_type": "Bearer", "expires_in": LASTS}
            told |= {"scope": " ".join(grant["scopes"])}
        return Answer.of(told)

    def grant(self, holder: str, **known: Any) -> dict[str, Any]:
        """Return a new pair of tokens for a holder, not given out yet."""
        now = self.clock.timestamp()
        return {
            "holder": holder,
            "access": secrets.token_urlsafe(32),
            "refresh": secrets.token_urlsafe(32),
            "until": now + LASTS,
            "scopes": list(SCOPES),
            "approved": now,
            "consent_ends": now + CONSENT_LASTS,
            **known,
        }

    def granted(self, grant: Mapping[str, Any]) -> list[Any]:
        holder = grant["holder"]
        return [
            ("grants", holder, grant),
            ("access", grant["access"], holder),
            ("refresh", grant["refresh"], holder),
        ]

    def ended(self, holder: str) -> list[Any]:
        """Return what must be forgotten so that the tokens of a consent are dead."""
        old = self.ledger.topic("grants").get(holder)
        if old is None:
            return []
        return [("access", old["access"], None), ("refresh", old["refresh"], None)]

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

    def consent(self, url: str, name: str | None = None) -> str:
        """Return where the browser comes back to when somebody agrees at `url`."""
        wish = dict(parse_qsl(urlsplit(url).query))
        wish["name"] = name or self.demo_world().name
        kind = {"content-type": "application/x-www-form-urlencoded"}
        body = urlencode(wish).encode()
        answer = self.answer(Asked("POST", "/consent/approve", "", kind, body))
        return answer.headers["Location"]

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

    def approve(self, name: str) -> None:
        """Let somebody approve the consent in the app."""
        self._change(name, approved=self.clock.timestamp())

    def revoke(self, name: str) -> None:
        """Let somebody take the permission back in the app."""
        self._change(name, approved=None)

    def expire(self, name: str) -> None:
        """Let the access token of somebody be too old; the refresh token still works."""
        self._change(name, until=self.clock.timestamp() - 1)

    def grant_scopes(self, name: str, scopes: Sequence[str]) -> None:
        """Let a consent cover these scopes only."""
        self._change(name, scopes=list(scopes))

    def _change(self, name: str, **changes: Any) -> None:
        holder = self.ledger.topic("holders")[name]
        known = self.ledger.topic("grants")[holder]
        self.ledger.put(("grants", holder, {**known, **changes}))


def _text(timestamp: float) -> str:
    return clock.text(datetime.fromtimestamp(timestamp, UTC))
