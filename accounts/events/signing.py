"""Signatures as the Standard Webhooks specification 1.0 describes them."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping

PREFIX = "whsec_"
TOLERANCE = 300  # seconds by which the clocks of both sides may differ


class BadSignature(Exception):
    """This message is forged, altered, or too old."""


def new_secret() -> str:
    """Return a new signing secret: 256 random bits in base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def headers(
    message_id: str, timestamp: int, body: bytes, keys: Iterable[str]
) -> dict[str, str]:
    """Return the headers of a message signed with every one of `keys`."""
    signed = (f"v1,{_signature(key, message_id, timestamp, body)}" for key in keys)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signed),
    }


def verify(told: Mapping[str, str], body: bytes, key: str, *, now: int) -> str:
    """Return the id of a message that is genuine and fresh; raises BadSignature."""
    try:
        message_id, signatures = told["webhook-id"], told["webhook-signature"]
        timestamp = int(told["webhook-timestamp"])
    except (KeyError, ValueError) as error:
        raise BadSignature from error
    expected = f"v1,{_signature(key, message_id, timestamp, body)}".encode()
    given = [each.encode() for each in signatures.split(" ")]
    if not any([hmac.compare_digest(expected, each) for each in given]):
        raise BadSignature
    if abs(now - timestamp) > TOLERANCE:
        raise BadSignature
    return message_id


def _signature(key: str, message_id: str, timestamp: int, body: bytes) -> str:
    try:
        secret = base64.b64decode(key.removeprefix(PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError("A signing secret is base64 after whsec_") from error
    content = f"{message_id}.{timestamp}.".encode() + body
    return base64.b64encode(hmac.digest(secret, content, hashlib.sha256)).decode()
