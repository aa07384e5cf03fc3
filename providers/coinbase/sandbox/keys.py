"""Who asks, what their key lets them do, and how often."""

from __future__ import annotations

from collections import deque
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from providers.sandbox.wire import Answer, Asked
from providers.sandbox.worlds import Peopled

from . import errors
from .tokens import Forged, Tokens

HOST: Final = "api.coinbase.com"  # whatever address it is reached by
PER_SECOND: Final = 30  # requests of one customer
PERMISSIONS: Final = {"view": True, "trade": False, "transfer": False}


class Keys(Peopled):
    """The part that knows customers by their keys."""

    def __init__(self, *where: Any) -> None:
        super().__init__(*where)
        self.tokens = Tokens()
        self.asked_at: dict[str, deque[float]] = {}

    def reset(self) -> None:
        super().reset()
        self.tokens = Tokens()
        self.asked_at.clear()

    def refusal(self, code: str) -> Answer:
        return errors.refusal(code)

    def reject(self, status: int) -> Answer:
        return Answer.of(errors.body("NOT_FOUND", "No such path"), status)

    def person(self, asked: Asked) -> str:
        """Return who asks; raises Declined for a bad token and for too many requests."""
        kind, _, token = asked.headers.get("authorization", "").partition(" ")
        if kind != "Bearer":
            raise errors.nobody()
        owner = self.owner_of(token, f"{asked.method} {HOST}{asked.path}")
        if self.ledger.topic("exchange").get("maintenance"):
            raise errors.no("unavailable")
        self._count(owner)
        return owner

    def owner_of(self, token: str, uri: str | None) -> str:
        """Return whose token this is; raises Declined where it proves nothing."""
        keys, now = self.ledger.topic("keys"), self.clock.timestamp()
        try:
            key = keys[self.tokens.accept(token, keys, uri, now)]
        except Forged:
            raise errors.nobody() from None
        if key["ends"] is not None and key["ends"] <= now:
            raise errors.nobody()
        if not key["view"]:
            raise errors.no("consent_needed")
        return str(key["owner"])

    def key_permissions(self, asked: Asked) -> Answer:
        person = self.ledger.topic("people")[self.person(asked)]
        key = self.ledger.topic("keys")[person["key"]]
        can = {f"can_{name}": key[name] for name in PERMISSIONS}
        kind = {"portfolio_uuid": person["portfolio"], "portfolio_type": "DEFAULT"}
        return Answer.of({**can, **kind})

    # -- happenings

    def expire_key(self, name: str) -> None:
        """Let somebody's key be no good from now on."""
        self._amend_key(name, ends=self.clock.timestamp())

    def restore_key(self, name: str) -> None:
        self._amend_key(name, ends=None)

    def permit(self, name: str, **changes: bool) -> None:
        """Change what somebody's key may do: `view`, `trade`, `transfer`."""
        if unknown := changes.keys() - PERMISSIONS.keys():
            raise TypeError(f"No key has {sorted(unknown)}")
        self._amend_key(name, **changes)

    def maintenance(self, on: bool = True) -> None:
        """Close the exchange to everybody, or open it again."""
        self.ledger.put(("exchange", "maintenance", on or None))

    def _amend_key(self, name: str, **changes: Any) -> None:
        key = self.ledger.topic("people")[name]["key"]
        self.ledger.put(("keys", key, {**self.ledger.topic("keys")[key], **changes}))

    def _count(self, owner: str) -> None:
        now = self.clock.timestamp()
        recent = self.asked_at.setdefault(owner, deque())
        while recent and not now - 1 < recent[0] <= now:
            recent.popleft()
        if len(recent) >= self.settings.extra.get("per_second", PER_SECOND):
            raise errors.no("rate_limited")
        recent.append(now)


def new_key(owner: str, number: int, algorithm: str) -> tuple[str, dict[str, Any]]:
    """Return a key by its name, with both halves in PEM; raises ValueError."""
    ids = [uuid5(NAMESPACE_URL, f"{what}/{number}") for what in ("org", "key")]
    private: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
    if algorithm == "ES256":
        private = ec.generate_private_key(ec.SECP256R1())
        form = PrivateFormat.TraditionalOpenSSL
    elif algorithm == "EdDSA":
        private, form = ed25519.Ed25519PrivateKey.generate(), PrivateFormat.PKCS8
    else:
        raise ValueError(f"No key is made for {algorithm!r}")
    public = private.public_key().public_bytes(
        Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    )
    secret = private.private_bytes(Encoding.PEM, form, NoEncryption())
    about = {"owner": owner, "ends": None, "algorithm": algorithm, **PERMISSIONS}
    halves = {"public": public.decode(), "private": secret.decode()}
    return f"organizations/{ids[0]}/apiKeys/{ids[1]}", {**about, **halves}
