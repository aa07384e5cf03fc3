"""Clients, people who consent, and tokens of which one lives at a time."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from html import escape
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from providers.sandbox.institution import Institution
from providers.sandbox.wire import Answer, Asked

from .errors import bad, missing, no, token

CLIENT = {"client_id": "oauth2client_sandbox", "client_secret": "mnzconf.sandbox"}
LASTS = 21600  # seconds of an access token
CODE_LASTS = 600
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Sandbox bank</title>
<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">
<style>body{{font:16px/1.5 system-ui;max-width:26rem;margin:4rem auto;padding:0 1rem}}
button{{font:inherit;padding:.6rem 1rem;margin:.25rem 0;width:100%}}</style>
<h1>Sandbox bank</h1><p><b>{client}</b> asks to see your accounts and to move money between
your pots. Nothing here is real.</p><form method="post" action="approve">{fields}{people}</form></html>"""


class Consent(Institution):
    """The part of the bank that decides who may ask."""

    token_lasts = LASTS

    # -- in the browser

    def auth_page(self, asked: Asked) -> Answer:
        """Show who wants what, with a button for everybody who could agree."""
        wish = asked.query
        self._known_client(wish)
        if wish.get("response_type") != "code":
            raise bad("response_type", "must be code")
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
        if wish.get("name") not in self.ledger.topic("users"):
            raise bad("name", "nobody is called that")
        code = secrets.token_urlsafe(24)
        given = {
            "user": self.ledger.topic("users")[wish["name"]],
            "client": wish["client_id"],
            "redirect_uri": wish["redirect_uri"],
            "until": self.clock.timestamp() + CODE_LASTS,
        }
        self.ledger.put(("codes", code, given))
        back = urlencode({"code": code, "state": wish.get("state", "")})
        joint = "&" if urlsplit(wish["redirect_uri"]).query else "?"
        place = {"Location": f"{wish['redirect_uri']}{joint}{back}"}
        return Answer(b"", 302, place, "text/html")

    def _known_client(self, wish: Mapping[str, str]) -> None:
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
        wish = _fields(asked, "grant_type", "client_id", "client_secret")
        if {k: wish[k] for k in CLIENT} != CLIENT:
            raise no(401, "unauthorized.bad_client_credentials", "Bad client")
        if wish["grant_type"] == "authorization_code":
            return self._by_code(_fields(asked, "code", "redirect_uri"))
        if wish["grant_type"] == "refresh_token":
            return self._by_refresh_token(_fields(asked, "refresh_token"))
        raise bad("grant_type", "is not supported")

    def _by_code(self, wish: Mapping[str, str]) -> Answer:
        given = self.ledger.topic("codes").get(wish["code"])
        if given is None or given["until"] < self.clock.timestamp():
            raise no(401, "unauthorized.bad_authorization_code", "Bad code")
        if given["redirect_uri"] != wish["redirect_uri"]:
            raise no(401, "unauthorized.bad_authorization_code", "Another redirect")
        now = self.clock.timestamp()
        approved = now + self.settings.approval_seconds
        first = {"authenticated": now, "approved": approved}
        return self._pair(given["user"], first, ("codes", wish["code"], None))

    def _by_refresh_token(self, wish: Mapping[str, str]) -> Answer:
        user = self.ledger.topic("refresh").get(wish["refresh_token"])
        if user is None:
            raise no(401, "unauthorized.bad_refresh_token", "Bad refresh token")
        return self._pair(user, self.ledger.topic("grants")[user])

    def _pair(self, user: str, known: Mapping[str, Any], *used: Any) -> Answer:
        grant = self.grant(user, **known)
        self.ledger.put(*used, *self.evicted(user), *self.granted(user, grant))
        fresh = {
            "access_token": grant["access"],
            "client_id": CLIENT["client_id"],
            "expires_in": self.token_lasts,
            "token_type": "Bearer",
            "user_id": user,
        }
        if self.settings.extra.get("confidential", True):
            fresh["refresh_token"] = grant["refresh"]
        return Answer.of(fresh)

    def grant(self, user: str, **known: Any) -> dict[str, Any]:
        """Return a new pair of tokens for `user`, not given out yet."""
        return {
            "authenticated": known["authenticated"],
            "approved": known["approved"],
            "access": f"access_{user}_{secrets.token_urlsafe(16)}",
            "refresh": f"refresh_{user}_{secrets.token_urlsafe(16)}",
            "until": self.clock.timestamp() + self.token_lasts,
        }

    def granted(self, user: str, grant: Mapping[str, Any]) -> list[Any]:
        return [
            ("grants", user, grant),
            ("access", grant["access"], user),
            ("refresh", grant["refresh"], user),
        ]

    def evicted(self, user: str, ending: str = ".evicted") -> list[Any]:
        """Return what must be forgotten so that the tokens of `user` are dead."""
        old = self.ledger.topic("grants").get(user)
        if old is None:
            return []
        return [
            ("access", old["access"], None),
            ("refresh", old["refresh"], None),
            ("dead", old["access"], ending),
        ]

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
        self.ledger.put(*self.evicted(user, ""), ("grants", user, None))
        return Answer.of({})

    # -- what people do

    def consent(self, url: str, name: str | None = None) -> str:
        """Return where the browser comes back to when somebody agrees at `url`."""
        wish = dict(parse_qsl(urlsplit(url).query))
        wish["name"] = name or self.demo_world().name
        kind = {"content-type": "application/x-www-form-urlencoded"}
        body = urlencode(wish).encode()
        answer = self.answer(Asked("POST", "/auth/approve", "", kind, body))
        return answer.headers["Location"]

    def approve(self, name: str) -> None:
        """Let somebody approve the consent in the app."""
        self._change(name, approved=self.clock.timestamp())

    def revoke(self, name: str) -> None:
        """Let somebody take the permission back in the app."""
        self._change(name, approved=None)

    def expire(self, name: str) -> None:
        """Let the access token of somebody be too old; the refresh token still works."""
        self._change(name, until=self.clock.timestamp() - 1)

    def reauthenticate(self, name: str) -> None:
        """Open the five minutes in which all history may be read."""
        self._change(name, authenticated=self.clock.timestamp())

    def _change(self, name: str, **changes: Any) -> None:
        user = self.ledger.topic("users")[name]
        self.ledger.put(
            ("grants", user, {**self.ledger.topic("grants")[user], **changes})
        )


def _fields(asked: Asked, *names: str) -> Mapping[str, str]:
    try:
        found = asked.form
    except ValueError as error:
        raise bad("body", str(error)) from error
    for name in names:
        if not found.get(name):
            raise missing(name)
    return found
