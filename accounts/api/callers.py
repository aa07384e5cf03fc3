"""Who asks for an instant answer: remembered for a while, forgotten when rights end.

What every process remembers carries the mark that `accounts.services.instant` gives to
all rights together. It is read with the balance, so a revocation anywhere counts with
the next request everywhere; without the mark nobody is remembered.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from typing import Any

from django.http import HttpRequest
from django.utils.timezone import now
from knox.auth import TokenAuthentication
from knox.crypto import hash_token
from rest_framework.authentication import SessionAuthentication

from accounts.models import Membership
from accounts.services import Message
from accounts.services.instant import Glance
from accounts.services.plain_signing import claim_of, is_signed

from .signed import SignedRequest, may, target_of

SCHEME = "Token"  # as most write it; any other spelling is looked up
SECONDS = 30.0
EMPTY = frozenset({None, "", "0"})
HEADERS = {
    "Signature": "HTTP_SIGNATURE",
    "Signature-Input": "HTTP_SIGNATURE_INPUT",
    "Content-Digest": "HTTP_CONTENT_DIGEST",
}
MOST = 10_000


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who was let in, and the workspaces they see."""

    user: Any
    auth: Any
    workspaces: frozenset[str]
    name: str  # under which their requests are counted
    until: datetime | None = None
    secret: bytes = b""

    @property
    def has_expired(self) -> bool:
        return self.until is not None and self.until <= now()


class Memory:
    """Callers by a name that only they can say, each for half a minute at most."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[float, bytes | None, Caller]] = {}

    def get(self, name: str, look: Glance) -> Caller | None:
        """Return who is remembered under `name`, unless any right has ended since."""
        found = self._kept.get(name)
        if found is None or look.seen is None:
            return None
        until, access, caller = found
        good = access == look.access and monotonic() < until and not caller.has_expired
        return caller if good else None

    def put(self, name: str, look: Glance, caller: Caller) -> None:
        """Remember `caller`, looked up after `look`."""
        if look.seen is None:
            return
        if len(self._kept) >= MOST:
            self._kept.clear()
        self._kept[name] = (monotonic() + SECONDS, look.access, caller)


tokens, keys = Memory(), Memory()


def workspaces_of(user: Any) -> frozenset[str]:
    """Return the ids of the workspaces that `user` sees."""
    found = Membership.objects.of(user).values_list("workspace_id", flat=True)
    return frozenset(map(str, found))


def look_of(request) -> Glance:
    """Return what the view has seen of the account, which came before all else."""
    return request.parser_context["view"].look


def remembered(request: HttpRequest, look: Glance) -> Caller | None:
    """Return the caller of `request`, if nothing about them has to be looked up."""
    told = request.META
    if "HTTP_SIGNATURE" in told or "HTTP_SIGNATURE_INPUT" in told:
        return None if "HTTP_AUTHORIZATION" in told else by_key(request, look)
    scheme, _, token = told.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme != SCHEME or not token.isascii():
        return None
    return tokens.get(hash_token(token), look)


def by_key(request: HttpRequest, look: Glance) -> Caller | None:
    """Return the holder of the key that `request` is signed with in the usual way."""
    told = request.META
    if told.get("CONTENT_LENGTH") not in EMPTY or "HTTP_TRANSFER_ENCODING" in told:
        return None
    # Only the headers that count: Django's own mapping reads them all.
    headers = {name: told.get(key, "") for name, key in HEADERS.items()}
    message = Message(request.method, target_of(request), headers, b"")
    claim = claim_of(message)
    caller = keys.get(claim.key, look) if claim else None
    if caller is None or not is_signed(message, claim, caller.secret):
        return None
    return caller if may(request, caller.auth) else None


def enter(request, caller: Caller) -> tuple[Any, Any]:
    """Let `caller` in."""
    request.parser_context["view"].workspaces = caller.workspaces
    return caller.user, caller.auth


class TokenCaller(TokenAuthentication):
    """Lets in by a token, and remembers who came by it."""

    def authenticate(self, request):
        found = super().authenticate(request)
        if found is None:
            return None
        user, auth = found
        caller = Caller(user, auth, workspaces_of(user), str(user.pk), auth.expiry)
        tokens.put(auth.digest, look_of(request), caller)
        return enter(request, caller)


class SignedCaller(SignedRequest):
    """Lets in by a signature, and remembers its key."""

    def authenticate(self, request):
        found = super().authenticate(request)
        if found is None:
            return None
        user, key = found
        seen, name = frozenset({str(key.workspace_id)}), f"key:{key.pk}"
        secret = key.open_secret()["key"].encode()
        caller = Caller(user, key, seen, name, key.expires_at, secret)
        keys.put(str(key.pk), look_of(request), caller)
        return enter(request, caller)


class SessionCaller(SessionAuthentication):
    """Lets in by a browser's session, which is looked up each time."""

    def authenticate(self, request):
        found = super().authenticate(request)
        if found is None:
            return None
        user, auth = found
        return enter(request, Caller(user, auth, workspaces_of(user), str(user.pk)))
