"""What Starling says when it calls us, and whether it is Starling who calls.

Source: api-samples, "webhook-verification". Which of the two schemes counts is decided
by what was typed in; one that fails is never tried as the other.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.serialization import load_der_public_key

from providers.base import Hint
from providers.errors import AuthenticationFailed, BadCredentials, UnexpectedResponse
from providers.wire import parse_json

HEADER: Final = "x-hook-signature"
SHORTEST: Final = 2048  # bits of a public key
PEM: Final = ("-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----")


def event_of(
    credentials: Mapping[str, str], headers: Mapping[str, str], body: bytes
) -> Hint:
    """Return the event in `body` if its signature is right.

    Raises AuthenticationFailed for a forgery, and where nothing was typed in by which
    one could be told; UnexpectedResponse for what has no name.
    """
    given = headers.get(HEADER, "")
    if key := credentials.get("webhook_public_key"):
        _verify(public_key(key), given, body)
        return Hint(_name(body, "webhookEventUid"))
    if secret := credentials.get("webhook_secret"):
        if not hmac.compare_digest(
            given.encode(errors="replace"), digest(secret, body).encode()
        ):
            raise AuthenticationFailed("The signature of this webhook is wrong")
        return Hint(_name(body, "webhookNotificationUid"))
    raise AuthenticationFailed("Without its key no webhook can be told from a forgery")


def digest(secret: str, body: bytes) -> str:
    """Return the signature of version 1: no HMAC, but a hash over secret and body."""
    return base64.b64encode(hashlib.sha512(secret.encode() + body).digest()).decode()


def _verify(key: RSAPublicKey, given: str, body: bytes) -> None:
    """Raise AuthenticationFailed unless `given` is the signature of version 2."""
    try:
        signature = base64.b64decode(given.encode("ascii"), validate=True)
        if base64.b64encode(signature).decode() != given:  # spare bits are not ours
            raise AuthenticationFailed("The signature of this webhook is no Base64")
        key.verify(signature, body, PKCS1v15(), SHA512())
    except (binascii.Error, UnicodeEncodeError, InvalidSignature) as error:
        raise AuthenticationFailed("The signature of this webhook is wrong") from error


@lru_cache(100)
def public_key(text: str) -> RSAPublicKey:
    """Return the key as the portal shows it, with or without PEM's lines around it.

    Raises BadCredentials for what is none.
    """
    begin, end = PEM
    inner = text.strip().removeprefix(begin).removesuffix(end)
    try:
        der = base64.b64decode("".join(inner.split()), validate=True)
        key = load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadCredentials("The webhook's public key is none") from error
    if not isinstance(key, RSAPublicKey) or key.key_size < SHORTEST:
        raise BadCredentials(f"The webhook's public key is no RSA of {SHORTEST} bits")
    return key


def _name(body: bytes, key: str) -> str:
    """Return the event's own id, which is the same each time it is delivered."""
    try:
        name = parse_json(body)[key]
    except (ValueError, LookupError, TypeError) as error:
        raise UnexpectedResponse("This is no event of Starling") from error
    if not isinstance(name, str) or not name:
        raise UnexpectedResponse("This event of Starling has no name")
    return name
