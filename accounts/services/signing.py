"""Checks HTTP message signatures (RFC 9421): who asks, and that nothing was changed.

A signature is `hmac-sha256` over method, address and body digest. It is good for 300 s
around its time, and where the request changes something, for one use of its nonce.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from django.db import DatabaseError, IntegrityError, transaction
from django.utils.timezone import now
from http_message_signatures import (
    HTTPMessageSignaturesException,
    HTTPMessageVerifier,
    HTTPSignatureKeyResolver,
    InvalidSignature,
)
from http_message_signatures.algorithms import HMAC_SHA256

from accounts.models import SigningKey, SigningNonce
from accounts.sealing import CannotOpen

COVERED = ("@method", "@target-uri", "content-digest")
WINDOW = timedelta(seconds=300)
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
KEY_ID = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII
)
NONCE = re.compile(r"[\x21-\x7e]{8,128}", re.ASCII)


class SignatureRefused(Exception):
    """This request is not signed as it must be."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)


@dataclass(frozen=True, slots=True)
class Message:
    """A request as it came in: its absolute address and its body byte for byte."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


def clock() -> datetime:
    """Return the time that signatures are judged by."""
    return now()


def verify_signature(message: Message) -> SigningKey:
    """Return the key that signed `message`, its nonce used up; raises SignatureRefused.

    Also raises sealing.CannotOpen where this installation lost what opens the secret.
    """
    keys = Keys()
    try:
        (result,) = Verifier(keys).verify(
            message,
            max_age=WINDOW,
            require_components=COVERED,
            body=message.body,
        )
    except InvalidSignature as error:
        # What went wrong on our side is no fault of the signature.
        if isinstance(error.__cause__, DatabaseError | CannotOpen):
            raise error.__cause__ from error
        raise SignatureRefused(str(error)) from error
    except HTTPMessageSignaturesException as error:
        raise SignatureRefused(str(error)) from error
    if message.method not in SAFE:
        use_up(keys.found, result.nonce)
    keys.found.note_use()
    return keys.found


class Verifier(HTTPMessageVerifier):
    """Lets in what was signed within the window, and has not expired."""

    def __init__(self, keys: Keys) -> None:
        super().__init__(signature_algorithm=HMAC_SHA256, key_resolver=keys)

    def validate_created_and_expires(self, sig_input, max_age=WINDOW) -> None:
        moment = clock()
        created = self._at(sig_input.params, "created")
        if created is None or abs(moment - created) > max_age:
            raise InvalidSignature("It was not signed within the last minutes")
        expires = self._at(sig_input.params, "expires")
        if expires is not None and expires <= moment:
            raise InvalidSignature("It has expired")

    @staticmethod
    def _at(params: Mapping[str, int], name: str) -> datetime | None:
        if name not in params:
            return None
        try:
            return datetime.fromtimestamp(params[name], UTC)
        except (ValueError, OverflowError, OSError) as error:
            raise InvalidSignature(f"{name} is no time") from error


class Keys(HTTPSignatureKeyResolver):
    """Looks up the one key of a request, and remembers whose it is."""

    found: SigningKey

    def resolve_public_key(self, key_id: str) -> bytes | None:
        """Return the secret of a usable key, None for any other."""
        if not KEY_ID.fullmatch(key_id):
            return None
        key = SigningKey.objects.usable().filter(pk=key_id).first()
        if key is None:
            return None
        self.found = key
        return key.open_secret()["key"].encode()


def use_up(key: SigningKey, nonce: str | None) -> None:
    """Store `nonce` as used, before anything happens; raises SignatureRefused.

    The constraint decides between two requests that come at once.
    """
    if nonce is None or not NONCE.fullmatch(nonce):
        raise SignatureRefused("A request that changes something needs a nonce")
    try:
        with transaction.atomic():
            SigningNonce.objects.create(key=key, nonce=nonce)
    except IntegrityError as error:
        raise SignatureRefused("This nonce was used before") from error
