"""Secrets at rest: AES-256-GCM with a ring of keys, each ciphertext bound to its row."""

from __future__ import annotations

import os
from base64 import b64decode
from binascii import Error as Base64Error
from dataclasses import dataclass, field
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

NONCE = 12  # bytes, as NIST SP 800-38D recommends


class CannotOpen(Exception):
    """These secrets cannot be read: the key is missing, or they belong to another row."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)


@dataclass(frozen=True, slots=True)
class Sealed:
    """A ciphertext: key id, a colon, nonce, then what AES-GCM made."""

    blob: bytes = field(repr=False)

    @property
    def key_id(self) -> str:
        return self.blob.partition(b":")[0].decode("ascii", "replace")


def seal(clear: bytes, bound_to: bytes) -> bytes:
    """Return `clear` encrypted under the newest key, readable only with `bound_to`."""
    key_id, cipher = next(iter(_ring(tuple(settings.CREDENTIAL_KEYS)).items()))
    nonce = os.urandom(NONCE)
    return key_id.encode() + b":" + nonce + cipher.encrypt(nonce, clear, bound_to)


def unseal(blob: bytes, bound_to: bytes) -> bytes:
    """Return what was sealed; raises CannotOpen."""
    key_id, _, rest = blob.partition(b":")
    cipher = _ring(tuple(settings.CREDENTIAL_KEYS)).get(
        key_id.decode("ascii", "replace")
    )
    if cipher is None:
        raise CannotOpen
    try:
        return cipher.decrypt(rest[:NONCE], rest[NONCE:], bound_to)
    except (InvalidTag, ValueError) as error:
        raise CannotOpen from error


def newest_key_id() -> str:
    """Return the id of the key that new secrets are sealed with."""
    return next(iter(_ring(tuple(settings.CREDENTIAL_KEYS))))


@lru_cache(maxsize=4)
def _ring(keys: tuple[str, ...]) -> dict[str, AESGCM]:
    ring = {}
    for entry in keys:
        key_id, _, encoded = entry.partition(":")
        try:
            ring[key_id] = AESGCM(b64decode(encoded, validate=True))
        except (ValueError, Base64Error) as error:
            raise ImproperlyConfigured(
                f"CREDENTIAL_KEYS: {key_id!r} is not 'id:' and 32 bytes in base64"
            ) from error
    if not ring:
        raise ImproperlyConfigured("CREDENTIAL_KEYS holds no key")
    return ring
