"""Banks that people let others into: a page in the browser, codes and tokens (OAuth 2)."""

from __future__ import annotations

import secrets
from abc import abstractmethod
from collections.abc import Mapping
from html import escape
from typing import Any, ClassVar, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from .wire import Answer, Asked, Declined
from .worlds import Peopled

CODE_LASTS: Final = 600  # seconds
PAIR: Final = frozenset({"access", "refresh", "until"})  # what each exchange makes anew
PAGE: Final = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Sandbox bank</title>
<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">
<style>body{{font:16px/1.5 system-ui;max-width:26rem;margin:4rem auto;padding:0 1rem}}
button{{font:inherit;padding:.6rem 1rem;margin:.25rem 0;width:100%}}</style>
<h1>Sandbox bank</h1><p><b>{client}</b> asks to see your accounts and to move money between
your {pots}. Nothing here is real.</p><form method="post" action="approve">{fields}{people}</form></html>"""


class Consents(Peopled):
    """The part of a bank that knows one application, and who has let it in.

    A grant is by its person: the pair of tokens that lives, until when, and what else
    the bank knows of the consent. `wrong` is asked about `response_type`, `name`,
    `code`, `redirect_uri` and `refresh_token`.
    """

    client: ClassVar[Mapping[str, str]]  # `client_id` and `client_secret`
    token_lasts: ClassVar[int]  # seconds of an access token
    pot_word: ClassVar[str] = "pots"  # what they are called, in the books too

    # -- what each bank says in its own way

    @abstractmethod
    def known_client(self, wish: Mapping[str, str]) -> None:
        """Raise Declined for an application, or an address of one, that is not known."""

    @abstractmethod
    def wrong(self, field: str) -> Declined:
        """Return how it says that a field of a question is wrong."""

    @abstractmethod
    def begun(self, who: str, since: float, approved: float) -> dict[str, Any]:
        """Return what is known of a consent of the moment `since`, beside its tokens."""

    @abstractmethod
    def told(self, who: str, grant: Mapping[str, Any]) -> dict[str, Any]:
        """Return a pair of tokens as an answer has it."""

    def fresh(self, kind: str, who: str) -> str:
        """Return a new token; its kind is `access` or `refresh`."""
        return secrets.token_urlsafe(32)

    # -- in the browser

    def consent_page(self, asked: Asked) -> Answer:
        """Show who wants what, with a button for everybody who could agree."""
        wish = asked.query
        self.known_client(wish)
        if wish.get("response_type") != "code":
            raise self.wrong("response_type")
        self.demo_world()
        fields = "".join(
            f'<input type="hidden" name="{name}" value="{escape(wish.get(name, ""))}">'
            for name in ("client_id", "redirect_uri", "state")
        )
        people = "".join(
            f'<button name="name" value="{escape(name)}">Continue as {escape(name)}</button>'
            for name in self.customers()[:10]
        )
        client = escape(wish["client_id"])
        page = PAGE.format(
            client=client, pots=self.pot_word, fields=fields, people=people
        )
        return Answer(page.encode(), content_type="text/html; charset=utf-8")

    def approve_page(self, asked: Asked) -> Answer:
        """Send the browser back with a code, as after the button was pressed."""
        wish = asked.form
        self.known_client(wish)
        if wish.get("name") not in self.ledger.topic(self.people):
            raise self.wrong("name")
        code = secrets.token_urlsafe(24)
        given = {
            "who": self.ledger.topic(self.people)[wish["name"]],
            "redirect_uri": wish["redirect_uri"],
            "until": self.clock.timestamp() + CODE_LASTS,
        }
        self.ledger.put(("codes", code, given))
        back = urlencode({"code": code, "state": wish.get("state", "")})
        joint = "&" if urlsplit(wish["redirect_uri"]).query else "?"
        place = {"Location": f"{wish['redirect_uri']}{joint}{back}"}
        return Answer(b"", 302, place, "text/html")

    # -- tokens

    def by_code(self, wish: Mapping[str, str]) -> Answer:
        """Exchange a code, once, for the pair that lives from now."""
        code, now = wish.get("code", ""), self.clock.timestamp()
        given = self.ledger.topic("codes").get(code)
        if given is None or given["until"] < now:
            raise self.wrong("code")
        if given["redirect_uri"] != wish.get("redirect_uri"):
            raise self.wrong("redirect_uri")
        who, approved = given["who"], now + self.settings.approval_seconds
        return self._pair(who, self.begun(who, now, approved), ("codes", code, None))

    def by_refresh_token(self, wish: Mapping[str, str]) -> Answer:
        """Exchange a refresh token, once, for the pair that lives from now."""
        who = self.ledger.topic("refresh").get(wish.get("refresh_token", ""))
        if who is None:
            raise self.wrong("refresh_token")
        known = self.ledger.topic("grants")[who]
        return self._pair(who, {k: v for k, v in known.items() if k not in PAIR})

    def _pair(self, who: str, known: Mapping[str, Any], *used: Any) -> Answer:
        grant = self.grant(who, known)
        self.ledger.put(*used, *self.ended(who), *self.granted(who, grant))
        return Answer.of(self.told(who, grant))

    def grant(self, who: str, known: Mapping[str, Any]) -> dict[str, Any]:
        """Return a new pair of tokens for somebody, not given out yet."""
        return {
            **known,
            "access": self.fresh("access", who),
            "refresh": self.fresh("refresh", who),
            "until": self.clock.timestamp() + self.token_lasts,
        }

    def granted(self, who: str, grant: Mapping[str, Any]) -> list[Any]:
        """Return what must be known so that a pair of tokens lives."""
        return [
            ("grants", who, grant),
            ("access", grant["access"], who),
            ("refresh", grant["refresh"], who),
        ]

    def ended(self, who: str) -> list[Any]:
        """Return what must be forgotten so that the tokens of somebody are dead."""
        old = self.ledger.topic("grants").get(who)
        if old is None:
            return []
        return [("access", old["access"], None), ("refresh", old["refresh"], None)]

    def tokens_of(self, who: str) -> dict[str, str]:
        """Return the pair of tokens that lives, empty ones where none does."""
        grant = self.ledger.topic("grants").get(who, {})
        return {f"{k}_token": grant.get(k, "") for k in ("access", "refresh")}

    # -- what people do

    def consent(self, url: str, name: str | None = None) -> str:
        """Return where the browser comes back to when somebody agrees at `url`."""
        wish = dict(parse_qsl(urlsplit(url).query))
        wish["name"] = name or self.demo_world().name
        kind = {"content-type": "application/x-www-form-urlencoded"}
        path = next(p for (_, p), to in self.routes.items() if to == "approve_page")
        answer = self.answer(Asked("POST", path, "", kind, urlencode(wish).encode()))
        return answer.headers["Location"]

    def approve(self, name: str) -> None:
        """Let somebody approve the consent in the app."""
        self.change_grant(name, approved=self.clock.timestamp())

    def revoke(self, name: str) -> None:
        """Let somebody take the permission back in the app."""
        self.change_grant(name, approved=None)

    def expire(self, name: str) -> None:
        """Let the access token of somebody be too old; the refresh token still works."""
        self.change_grant(name, until=self.clock.timestamp() - 1)

    def change_grant(self, name: str, **changes: Any) -> None:
        """Change what is known of somebody's consent."""
        who = self.ledger.topic(self.people)[name]
        known = self.ledger.topic("grants")[who]
        self.ledger.put(("grants", who, {**known, **changes}))
