"""Signs requests by hand, as RFC 9421 says and without the library that checks them."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from time import time
from typing import Any
from uuid import uuid4

from rest_framework.test import APIClient

from accounts import services
from accounts.models import Scope, SigningKey

ORIGIN = "http://testserver"
COVERED = ("@method", "@target-uri", "content-digest")
ALL = tuple(Scope.values)


def encoded(raw: bytes) -> str:
    return b64encode(raw).decode()


def digest_of(body: bytes, name: str = "sha-256") -> str:
    """Return a Content-Digest (RFC 9530)."""
    made = hashlib.new(name.replace("-", ""), body).digest()
    return f"{name}=:{encoded(made)}:"


def base_of(values: dict[str, str], params: str) -> str:
    """Return the signature base (RFC 9421, 2.5)."""
    lines = [f'"{name}": {value}' for name, value in values.items()]
    return "\n".join([*lines, f'"@signature-params": {params}'])


def mac(secret: str, base: str) -> str:
    return encoded(hmac.digest(secret.encode(), base.encode(), "sha256"))


@dataclass
class Pen:
    """A key and its secret, in the hands of a client."""

    id: str
    secret: str
    key: SigningKey | None = None

    def headers(
        self,
        method: str,
        url: str,
        body: bytes = b"",
        *,
        covered: Sequence[str] = COVERED,
        label: str = "sig",
        digest: str | None = None,
        created: int | None = None,
        nonce: str | None = "fresh",
        expires: int | None = None,
        alg: str | None = "hmac-sha256",
        more: str = "",
    ) -> dict[str, str]:
        """Return the headers of a request that is signed like this."""
        digest = digest or digest_of(body)
        words = {"@method": method, "@target-uri": url, "content-digest": digest}
        params = "(" + " ".join(f'"{name}"' for name in covered) + ")"
        params += f";created={int(time()) if created is None else created}"
        params += f';keyid="{self.id}"'
        if nonce is not None:
            params += f';nonce="{uuid4().hex if nonce == "fresh" else nonce}"'
        if expires is not None:
            params += f";expires={expires}"
        if alg is not None:
            params += f';alg="{alg}"'
        params += more
        base = base_of({name: words[name] for name in covered}, params)
        return {
            "Content-Digest": digest,
            "Signature-Input": f"{label}={params}",
            "Signature": f"{label}=:{mac(self.secret, base)}:",
        }

    def ask(self, method: str, path: str, data: Any = None, **how: Any):
        """Send a signed request and return the answer."""
        body = b"" if data is None else json.dumps(data).encode()
        more = how.pop("headers", {})
        signed = self.headers(method, ORIGIN + path, body, **how)
        return send(method, path, body, signed | more)


def send(method: str, path: str, body: bytes = b"", headers: dict | None = None):
    client = APIClient(raise_request_exception=False)
    return client.generic(method, path, body, "application/json", headers=headers or {})


def pen_for(workspace, user, scopes: Sequence[str] = ALL, **more: Any) -> Pen:
    """Return a new key of `user` in `workspace`."""
    key, secret = services.make_signing_key(workspace, user, scopes, **more)
    return Pen(str(key.pk), secret, key)
