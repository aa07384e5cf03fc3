"""Who asks: secret keys of version 3, and tokens of version 4 that last ten minutes."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, Final

from providers.sandbox.wire import Answer, Asked, Declined
from providers.sandbox.worlds import Peopled

from . import errors

LASTS: Final = 600  # seconds of a token
TRACE: Final = range(12, 256)  # characters of a trace id


class Access(Peopled):
    """The part that knows businesses by their credentials."""

    people = "shops"
    speaks = "v3"  # the version that is spoken by the request at hand

    def answer(self, asked: Asked) -> Answer:
        """Answer in the envelope of the version that was asked."""
        with self.lock:
            self.speaks = asked.path[1:].partition("/")[0].partition("-")[0]
            return super().answer(asked)

    def refusal(self, code: str) -> Answer:
        return errors.refusal(self.speaks, code)

    def reject(self, status: int) -> Answer:
        return errors.refusal(self.speaks, "not_found")

    def shop(self, name: str) -> Mapping[str, Any]:
        """Return what is known of a business."""
        found: Mapping[str, Any] = self.ledger.topic("shops")[name]
        return found

    def no(self, code: str, words: str = "") -> Declined:
        return errors.no(self.speaks, code, words)

    # -- judging requests

    def merchant(self, asked: Asked) -> str:
        """Return which business asks over version 3."""
        owner = self.ledger.topic("keys").get(self._bearer(asked))
        return self._allowed(owner)

    def client(self, asked: Asked) -> str:
        """Return which business asks over version 4: production or the sandbox."""
        trace = asked.headers.get("x-trace-id", "")
        if trace and len(trace) not in TRACE:
            raise self.no("refused", "X-Trace-Id must have 12 to 255 characters")
        token = self.ledger.topic("tokens").get(self._bearer(asked))
        if token is None or token["until"] <= self.clock.timestamp():
            raise self.no("authentication_failed")
        # Credentials of one environment are not known in the other.
        if token["sandbox"] is not asked.path.startswith("/v4-sandbox/"):
            raise self.no("authentication_failed")
        return self._allowed(token["owner"])

    def _allowed(self, owner: str | None) -> str:
        if self.ledger.topic("house").get("maintenance"):
            raise self.no("unavailable")
        if owner is None:
            raise self.no("authentication_failed")
        if self.shop(owner).get("forbidden"):
            raise self.no("consent_needed")
        return owner

    def _bearer(self, asked: Asked) -> str:
        kind, _, given = asked.headers.get("authorization", "").partition(" ")
        if asked.headers.get("content-type", "") != "application/json":
            raise self.no("refused", "Content-Type must be application/json")
        return given if kind == "Bearer" else ""

    # -- tokens

    def token(self, asked: Asked) -> Answer:
        """Give a client a token; earlier ones last until their own end."""
        wish = self._wish(asked)
        owner = self.ledger.topic("clients").get(wish.get("client_id", ""))
        shop = self.ledger.topic("shops").get(owner or "", {})
        if owner is None or shop["client_secret"] != wish.get("client_secret"):
            words = "Invalid client or Invalid client credentials"
            said = {"error": "invalid_client", "error_description": words}
            raise Declined(401, said)
        if wish.get("grant_type") != "client_credentials":
            raise Declined(400, {"error": "unsupported_grant_type"})
        given = secrets.token_urlsafe(40)
        until = self.clock.timestamp() + LASTS
        about = {"owner": owner, "until": until, "sandbox": shop["sandbox"]}
        self.ledger.put(("tokens", given, about))
        return Answer.of(
            {
                "access_token": given,
                "expires_in": LASTS,
                "refresh_expires_in": 0,
                "token_type": "Bearer",
                "not-before-policy": 0,
                "scope": "profile email",
            }
        )

    def _wish(self, asked: Asked) -> Mapping[str, str]:
        try:
            return asked.form
        except ValueError as error:
            raise Declined(400, {"error": "invalid_request"}) from error

    # -- happenings

    def expire(self, name: str) -> None:
        """Let every token of a business be too old."""
        ends = self.clock.timestamp() - 1
        mine = [
            ("tokens", token, {**about, "until": ends})
            for token, about in self.ledger.topic("tokens").items()
            if about["owner"] == name
        ]
        self.ledger.put(*mine)

    def rotate(self, name: str) -> None:
        """Give a business another key, or client's secret; the old one is dead at once."""
        old = self.shop(name)
        self.revoke(name)
        fresh, facts = self.credentials_for(name, old["version"], old["sandbox"])
        if old["client_id"]:
            fresh["client_id"] = old["client_id"]
            facts = [("clients", old["client_id"], name)]
        self.ledger.put(("shops", name, {**old, **fresh}), *facts)

    def revoke(self, name: str) -> None:
        """Let a business's key or client be unknown, until it is rotated."""
        shop = self.shop(name)
        dead = [("keys", shop["secret_key"]), ("clients", shop["client_id"])]
        self.expire(name)
        self.ledger.put(*((topic, value, None) for topic, value in dead if value))

    def forbid(self, name: str, on: bool = True) -> None:
        """Let a business's credentials be good, and allowed nothing; or allow it again."""
        shop = self.shop(name)
        self.ledger.put(("shops", name, {**shop, "forbidden": on}))

    def maintenance(self, on: bool = True) -> None:
        """Close the doors to everybody, or open them again."""
        self.ledger.put(("house", "maintenance", on or None))

    def credentials_for(
        self, name: str, version: int, sandbox: bool
    ) -> tuple[dict[str, str], list[tuple[str, str, Any]]]:
        """Return new credentials of one version, and what has to be known of them."""
        none = dict.fromkeys(("secret_key", "client_id", "client_secret"), "")
        if version == 4:
            client = secrets.token_hex(16)
            given = {"client_id": client, "client_secret": secrets.token_urlsafe(24)}
            return {**none, **given}, [("clients", client, name)]
        mode = "_TEST" if sandbox else ""
        key = f"FLWSECK{mode}-{secrets.token_hex(16)}-X"
        return {**none, "secret_key": key}, [("keys", key, name)]
