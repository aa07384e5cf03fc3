"""Judges webhooks: each version has its own proof, and none stands in for the other.

Version 3 sends the secret hash itself, which proves who calls and nothing of the body;
version 4 signs the body with it. Either way an event is only a reason to ask.
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

from providers.base import Hint
from providers.errors import AuthenticationFailed, UnexpectedResponse
from providers.fields import text
from providers.wire import parse_json

TOKEN: Final = "verif-hash"
SIGNATURE: Final = "flutterwave-signature"


def hint(version: int, secret: str, headers: Mapping[str, str], body: bytes) -> Hint:
    """Return what an event is about, once it has proved who sends it."""
    if not secret:
        raise AuthenticationFailed("Without a secret hash no webhook is believed")
    if version == 3:
        given, right = headers.get(TOKEN, ""), secret
    else:
        given, right = headers.get(SIGNATURE, ""), signature(secret, body)
    if not hmac.compare_digest(_raw(given), _raw(right)):
        raise AuthenticationFailed(
            "The webhook does not prove that Flutterwave sent it"
        )
    return event_of("event" if version == 3 else "type", body)


def signature(secret: str, body: bytes) -> str:
    """Return how version 4 signs a body. Source: docs, "Webhooks"."""
    return b64encode(hmac.digest(secret.encode(), body, sha256)).decode()


def event_of(kind: str, body: bytes) -> Hint:
    """Return the event in `body`: its kind, what it happened to, and what that is now."""
    try:
        told = parse_json(body)
        data = told["data"]
        parts = [text(told[kind]), _id(data["id"]), str(data.get("status", ""))]
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise UnexpectedResponse("This is no event of Flutterwave") from error
    return Hint(":".join(parts))


def _id(value: Any) -> str:
    return str(value) if type(value) is int else text(value)


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
