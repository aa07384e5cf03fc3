"""How requests are signed. Source: rest-api.md and web-socket-api.md, "SIGNED"."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from providers.errors import AuthenticationFailed
from providers.wire import Request, query


@dataclass(frozen=True, slots=True)
class Signer:
    """What proves who is asking: a shared secret, or an Ed25519 key where there is one."""

    secret: bytes = field(repr=False)
    key: Ed25519PrivateKey | None = None

    @property
    def may_log_on(self) -> bool:
        """Say whether a session may be opened with it: only Ed25519 keys may."""
        return self.key is not None

    def sign(self, payload: str) -> str:
        """Return the signature of `payload`: hex of HMAC-SHA256, or base64 of Ed25519."""
        if self.key is not None:
            return b64encode(self.key.sign(payload.encode())).decode()
        return hmac.new(self.secret, payload.encode(), hashlib.sha256).hexdigest()


def signer_of(credentials: Mapping[str, str]) -> Signer:
    """Return what `credentials` sign with; raises AuthenticationFailed without a key."""
    pem, secret = credentials.get("private_key"), credentials.get("api_secret")
    if pem:
        return Signer(b"", _private_key(pem))
    if secret:
        return Signer(secret.encode())
    raise AuthenticationFailed("There is neither a secret nor a private key")


def _private_key(pem: str) -> Ed25519PrivateKey:
    try:
        # In one line of a terminal or of a .env file, line ends are written as \n.
        found = load_pem_private_key(pem.replace("\\n", "\n").encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise AuthenticationFailed("The private key is no unlocked PEM") from None
    if not isinstance(found, Ed25519PrivateKey):
        raise AuthenticationFailed("The private key is not of the kind Ed25519")
    return found


def rest_payload(request: Request) -> str:
    """Return what is signed of a request: its query and its body, as they are sent."""
    return query(request.params) + request.body.decode()


def socket_payload(params: Mapping[str, str | int]) -> str:
    """Return what is signed of a WebSocket request: sorted, and never percent-encoded."""
    return "&".join(f"{name}={params[name]}" for name in sorted(params))
