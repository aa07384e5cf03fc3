"""Who asks: keys, signatures and the time they were made at. Source: "Request Security"."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode
from binascii import Error as NoBase64
from collections.abc import Mapping
from decimal import Decimal
from secrets import token_hex
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from providers.sandbox.wire import Asked
from providers.sandbox.worlds import Peopled

from . import errors
from .params import DIGITS, Params, window_of

NETWORKS: Final = {"": "", "/testnet": "testnet"}  # how a path begins → which network
MARK: Final = "signature="
MICROSECONDS: Final = 10**14  # a time above this is not in milliseconds


class Keys(Peopled):
    """The part of the exchange that knows its customers and their keys."""

    people = "users"

    def identified(self, asked: Asked, need: str = "reading") -> dict[str, Any]:
        """Return the account of a request that only names its key."""
        name = asked.headers.get("x-mbx-apikey", "")
        if not name:
            raise errors.no(-2014, "API-key format invalid.", 401)
        return self._entitled(name, network_of(asked.path), need)

    def authorized(self, asked: Asked, need: str = "reading") -> dict[str, Any]:
        """Return the account of a request, if it is signed over the very bytes it has."""
        account = self.identified(asked, need)
        key = self.ledger.topic("keys")[asked.headers["x-mbx-apikey"]]
        payload, told = signed_part(asked.raw_query + asked.body.decode("latin-1"))
        self._timely(Params.of(asked).sent)
        if not verified(key, payload, told):
            raise errors.named("bad_signature")
        return account

    def _entitled(self, name: str, network: str, need: str) -> dict[str, Any]:
        key = self.ledger.topic("keys").get(name)
        if key is None or need not in key["may"]:
            raise errors.named("authentication_failed")
        account: dict[str, Any] = self.ledger.topic("accounts")[key["account"]]
        if account["network"] != network:
            raise errors.named("authentication_failed")
        return account

    def _timely(self, sent: Mapping[str, str]) -> None:
        told = sent.get("timestamp", "")
        if not DIGITS.fullmatch(told):
            raise errors.malformed("timestamp")
        stamp = Decimal(told) / (1000 if int(told) > MICROSECONDS else 1)
        now = Decimal(self.milliseconds())
        if stamp >= now + 1000:
            text = "Timestamp for this request was 1000ms ahead of the server's time."
            raise errors.no(-1021, text)
        if now - stamp > window_of(sent):
            raise errors.named("clock")

    def milliseconds(self) -> int:
        return int(self.clock.timestamp() * 1000)

    # -- what happens to keys

    def revoke(self, name: str) -> None:
        """Let somebody's key be deleted."""
        self.ledger.put(("keys", self._key_of(name), None))

    def restrict(self, name: str, may: list[str]) -> None:
        """Let somebody's key have other rights: reading, spot, futures, withdrawals …"""
        key = self._key_of(name)
        about = self.ledger.topic("keys")[key]
        self.ledger.put(("keys", key, {**about, "may": may}))

    def _key_of(self, name: str) -> str:
        account = self.ledger.topic("users")[name]
        found: str = self.ledger.topic("accounts")[account]["key"]
        return found


def network_of(path: str) -> str:
    return "testnet" if path.startswith("/testnet/") else ""


def signed_part(sent: str) -> tuple[str, str]:
    """Return what was signed and the signature, which must be what is sent last."""
    payload, found, told = sent.rpartition(MARK)
    if not found or "&" in told or not sent.isascii():
        raise errors.named("bad_signature") if found else errors.malformed("signature")
    return payload.removesuffix("&"), percent_decoded(told)


def percent_decoded(text: str) -> str:
    for code, plain in (("%2B", "+"), ("%2F", "/"), ("%3D", "=")):
        text = text.replace(code, plain).replace(code.lower(), plain)
    return text


def verified(key: Mapping[str, Any], payload: str, told: str) -> bool:
    """Say whether `told` is the signature: hex in any case, or base64 of Ed25519."""
    if key["public"]:
        try:
            public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(key["public"]))
            public.verify(b64decode(told, validate=True), payload.encode())
        except (InvalidSignature, NoBase64, ValueError):
            return False
        return True
    right = hmac.new(key["secret"].encode(), payload.encode(), hashlib.sha256)
    return hmac.compare_digest(right.hexdigest().encode(), told.lower().encode())


def new_key(account: str, may: list[str], *, ed25519: bool) -> dict[str, Any]:
    """Return a key with what only its owner knows; the sandbox plays the owner, too."""
    found = {"name": token_hex(32), "account": account, "may": may}
    if not ed25519:
        return {**found, "secret": token_hex(32), "private": "", "public": ""}
    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    raw = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return {**found, "secret": "", "private": pem.decode(), "public": raw.hex()}
