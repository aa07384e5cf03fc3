"""The tokens that prove who asks: a new one for every request, good for two minutes.

Source: docs.cdp.coinbase.com, "Coinbase App API Key Authentication".
"""

from __future__ import annotations

import re
from base64 import b64decode
from dataclasses import dataclass, field
from datetime import datetime
from secrets import token_hex
from typing import Final, TypeGuard

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from providers.errors import AuthenticationFailed

LIFETIME: Final = 120  # seconds
NONCE: Final = 32  # bytes
RAW_KEYS: Final = (
    32,
    64,
)  # bytes of an Ed25519 key: its seed, and perhaps the public half
PEM: Final = re.compile(r"-----BEGIN ([A-Z ]+)-----(.*?)-----END \1-----", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Key:
    """An API key: elliptic curves on P-256 (ES256), or Ed25519 (EdDSA)."""

    name: str
    private: EllipticCurvePrivateKey | Ed25519PrivateKey = field(repr=False)

    @property
    def algorithm(self) -> str:
        return "EdDSA" if isinstance(self.private, Ed25519PrivateKey) else "ES256"

    def token(self, now: datetime, uri: str | None = None) -> str:
        """Return a new token for `uri` ("GET host/path"); a WebSocket's is without one."""
        moment = int(now.timestamp())
        claims = {"sub": self.name, "iss": "cdp", "nbf": moment}
        claims |= {"exp": moment + LIFETIME} | ({"uri": uri} if uri else {})
        headers = {"kid": self.name, "nonce": token_hex(NONCE)}
        return jwt.encode(claims, self.private, self.algorithm, headers)


def load(name: str, text: str) -> Key:
    """Return the key written in `text`; raises AuthenticationFailed for anything else.

    It is PEM, also where its lines have become one or their ends `\\n` in letters, or
    the Base64 in which Ed25519 keys are handed out.
    """
    try:
        found = PEM.search(text)
        private = _of_pem(*found.groups()) if found else _of_base64(text)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # What a parser says of a key may quote it, so nothing of that is passed on.
        raise AuthenticationFailed("The private key cannot be read") from None
    if isinstance(private, Ed25519PrivateKey) or _is_of_p256(private):
        return Key(name, private)
    raise AuthenticationFailed("The private key is neither of P-256 nor Ed25519")


def _is_of_p256(private: object) -> TypeGuard[EllipticCurvePrivateKey]:
    if not isinstance(private, EllipticCurvePrivateKey):
        return False
    return isinstance(private.curve, SECP256R1)


def _of_pem(label: str, body: str) -> object:
    packed = "".join(body.replace("\\n", "").split())
    lines = [packed[i : i + 64] for i in range(0, len(packed), 64)]
    whole = "\n".join(
        [f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""]
    )
    return load_pem_private_key(whole.encode(), None)


def _of_base64(text: str) -> Ed25519PrivateKey:
    raw = b64decode("".join(text.split()), validate=True)
    if len(raw) not in RAW_KEYS:
        raise ValueError("An Ed25519 key has 32 bytes")
    return Ed25519PrivateKey.from_private_bytes(raw[:32])
