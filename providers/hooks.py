"""What webhooks with an HMAC over the body have in common. Pure."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

from .base import Hint
from .errors import AuthenticationFailed, UnexpectedResponse
from .wire import parse_json


def sha512_of(key: str, body: bytes) -> str:
    """Return the HMAC-SHA512 of `body` in small hexadecimal digits (RFC 2104)."""
    return hmac.new(key.encode(), body, hashlib.sha512).hexdigest()


def prove(headers: Mapping[str, str], name: str, key: str, *signed: bytes) -> None:
    """Raise AuthenticationFailed unless the header proves one of the texts `signed`.

    Each is compared, in constant time, whichever fits. Without a key nothing is proven.
    """
    if not key:
        raise AuthenticationFailed("Without a key for webhooks none is believed")
    given = headers.get(name, "").encode("utf-8", "replace")
    fits = [hmac.compare_digest(given, sha512_of(key, s).encode()) for s in signed]
    if not any(fits):
        raise AuthenticationFailed(f"The webhook's {name} does not fit its body")


def named(body: bytes, *ids: str) -> Hint:
    """Return the event in `body`, `{"event": …, "data": {…}}`, by its kind and an id.

    The id is the first of `ids` that its data have, else the body's own digest: each
    attempt to deliver an event carries the same bytes. Raises UnexpectedResponse.
    """
    try:
        told = parse_json(body)
        kind, data = told["event"], told["data"]
    except (ValueError, LookupError, TypeError) as error:
        raise UnexpectedResponse("This is no event") from error
    if not isinstance(kind, str) or not kind or not isinstance(data, dict):
        raise UnexpectedResponse("This event has no name")
    found = (_id(data.get(name)) for name in ids)
    own = next(filter(None, found), f"sha512:{hashlib.sha512(body).hexdigest()[:64]}")
    return Hint(f"{kind}:{own}")


def _id(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | str):
        return ""
    return str(value)
