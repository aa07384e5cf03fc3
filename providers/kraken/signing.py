"""How a private request proves who asks. Source: docs, "Spot REST Authentication"."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac

from providers.errors import AuthenticationFailed


def api_sign(secret: str, path: str, nonce: int, body: bytes) -> str:
    """Return `API-Sign` for exactly this body; raises AuthenticationFailed.

    HMAC-SHA512 of the path and of SHA-256(nonce + body), under the decoded secret.
    """
    try:
        key = base64.b64decode(secret, validate=True)
    except (binascii.Error, ValueError) as error:
        raise AuthenticationFailed("The API secret is no Base64") from error
    digest = hashlib.sha256(str(nonce).encode() + body).digest()
    signed = hmac.new(key, path.encode() + digest, hashlib.sha512)
    return base64.b64encode(signed.digest()).decode()
