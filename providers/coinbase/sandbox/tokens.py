"""Judges tokens, without the library that the adapter makes them with."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

LIFETIME: Final = 120  # seconds
LONGEST_NONCE: Final = 128  # characters
HALF: Final = 32  # bytes of each of the two numbers of a signature


class Forged(Exception):
    """This token proves nothing."""


class Tokens:
    """Remembers the nonces, so that no token is good for a second request."""

    def __init__(self) -> None:
        self._used: dict[str, float] = {}

    def accept(
        self, token: str, keys: Mapping[str, Any], uri: str | None, now: float
    ) -> str:
        """Return whose key signed `token` for `uri`; raises Forged."""
        try:
            head, claims, signature = (_part(part) for part in token.split("."))
            header, said = _object(head), _object(claims)
            name = header["kid"]
            public = keys[name]["public"]
        except (ValueError, LookupError, TypeError) as error:
            raise Forged("It cannot be read, or nobody has this key") from error
        signed = token.rpartition(".")[0].encode()
        _verify(public, header, signed, signature)
        _judge(said, name, uri, now)
        self._use(header.get("nonce"), said["exp"], now)
        return str(name)

    def _use(self, nonce: Any, expires: float, now: float) -> None:
        if not isinstance(nonce, str) or not 0 < len(nonce) <= LONGEST_NONCE:
            raise Forged("It has no nonce")
        if nonce in self._used:
            raise Forged("It was used before")
        # What has expired cannot come back.
        if len(self._used) > 10_000:
            self._used = {n: end for n, end in self._used.items() if end > now}
        self._used[nonce] = expires


def _verify(pem: str, header: Any, signed: bytes, signature: bytes) -> None:
    public = load_pem_public_key(pem.encode())
    try:
        if isinstance(public, Ed25519PublicKey):
            expected = "EdDSA"
            public.verify(signature, signed)
        elif isinstance(public, EllipticCurvePublicKey):
            expected = "ES256"
            if len(signature) != 2 * HALF:
                raise Forged("The signature has another length")
            pair = (signature[:HALF], signature[HALF:])
            der = encode_dss_signature(*(int.from_bytes(half) for half in pair))
            public.verify(der, signed, ECDSA(SHA256()))
        else:
            raise Forged("Nobody has such a key")
    except InvalidSignature as error:
        raise Forged("The signature is another's") from error
    if header.get("alg") != expected or header.get("typ") != "JWT":
        raise Forged("It says that it was signed in another way")


def _judge(said: Any, name: str, uri: str | None, now: float) -> None:
    begins, ends = said.get("nbf"), said.get("exp")
    if type(begins) is not int or type(ends) is not int:
        raise Forged("It does not say when it is good")
    if not begins <= now < ends or ends - begins > LIFETIME:
        raise Forged("It is not good now, or for too long")
    if said.get("sub") != name or said.get("iss") != "cdp":
        raise Forged("It is of somebody else")
    if said.get("uri") != uri:
        raise Forged("It is for another request")


def _part(text: str) -> bytes:
    if "=" in text:
        raise ValueError("A token has no padding")
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _object(raw: bytes) -> Any:
    found = json.loads(raw)
    if not isinstance(found, dict):
        raise TypeError("No object")
    return found
