"""Who asks for an instant answer: remembered for a while, forgotten when rights end.

What every process remembers carries the mark that `accounts.services.instant` gives to
all rights together. It is read with the balance, so a revocation anywhere counts with
the next request everywhere; without the mark nobody is remembered.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic
from typing import Any

from django.utils.timezone import now
from knox.auth import TokenAuthentication
from knox.crypto import hash_token
from rest_framework.authentication import SessionAuthentication

from accounts import services
from accounts.models import Membership, SigningKey
from accounts.services.instant import Glance

from .signed import SignedRequest

SECONDS = 30.0
MOST = 10_000


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who was let in, and the workspaces they see."""

    user: Any
    auth: Any
    workspaces: frozenset[str]
    secret: bytes = b""


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
        return caller if access == look.access and monotonic() < until else None

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


def enter(request, caller: Caller) -> tuple[Any, Any]:
    """Let `caller` in."""
    request.parser_context["view"].workspaces = caller.workspaces
    return caller.user, caller.auth


class TokenCaller(TokenAuthentication):
    """Lets in by a token, by its digest where that is remembered."""

    def authenticate(self, request):
        self.request = request
        return super().authenticate(request)

    def authenticate_credentials(self, token):
        look = look_of(self.request)
        name = hash_token(token.decode("utf-8"))
        caller = tokens.get(name, look)
        if caller is None or has_expired(caller.auth.expiry):
            user, auth = super().authenticate_credentials(token)
            caller = Caller(user, auth, workspaces_of(user))
            tokens.put(name, look, caller)
        return enter(self.request, caller)


class SignedCaller(SignedRequest):
    """Lets in by a signature, whose key may be remembered."""

    def verified(self, request) -> SigningKey:
        found = RememberedKeys(look_of(request))
        key = super().verified(request, found)
        enter(request, found.caller)
        return key


class RememberedKeys(services.SigningKeys):
    """Looks up the one key of a request where it is not remembered."""

    def __init__(self, look: Glance) -> None:
        self.look = look

    def resolve_public_key(self, key_id: str) -> bytes | None:
        """Return the secret of a usable key, None for any other."""
        self.caller = keys.get(key_id, self.look)
        if self.caller is not None and not has_expired(self.caller.auth.expires_at):
            self.found, self.is_new = self.caller.auth, False
            return self.caller.secret
        secret = super().resolve_public_key(key_id)
        if secret is not None:
            workspaces = frozenset({str(self.found.workspace_id)})
            self.caller = Caller(self.found.user, self.found, workspaces, secret)
            keys.put(key_id, self.look, self.caller)
        return secret


class SessionCaller(SessionAuthentication):
    """Lets in by a browser's session, which is looked up each time."""

    def authenticate(self, request):
        found = super().authenticate(request)
        if found is None:
            return None
        return enter(request, Caller(*found, workspaces_of(found[0])))


def has_expired(moment) -> bool:
    return moment is not None and moment <= now()
