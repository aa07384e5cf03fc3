"""Keys that sign requests: made once, shown once, two at a time, ended at once."""

from __future__ import annotations

import secrets
from collections.abc import Collection
from datetime import datetime

from django.db import transaction
from django.utils.timezone import now

from accounts.models import Membership, Scope, SigningKey, SigningNonce, Workspace
from accounts.models.idempotency import delete_in_batches

SECRET_BYTES = 32


class SigningKeyRefused(Exception):
    """This key cannot be made."""

    code = "signing_key_refused"

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)


class NoMember(SigningKeyRefused):
    """A key acts for a member of the workspace, and you are none."""

    code = "no_member"


class TwoKeysLive(SigningKeyRefused):
    """Two keys with this label are live: revoke one of them first."""

    code = "two_keys_live"


class KeyEnded(SigningKeyRefused):
    """This key has ended: make a new one."""

    code = "key_ended"


class NotYourKey(SigningKeyRefused):
    """Only the person that a key acts for can be given its successor."""

    code = "not_your_key"


class OddScopes(SigningKeyRefused):
    """A key needs one scope or more out of read, sync, run and admin."""

    code = "odd_scopes"


class EndsBeforeItBegins(SigningKeyRefused):
    """A key ends in the future."""

    code = "ends_in_the_past"


def make_signing_key(
    workspace: Workspace,
    user,
    scopes: Collection[str],
    *,
    label: str = "",
    expires_at: datetime | None = None,
) -> tuple[SigningKey, str]:
    """Return a new key that acts for `user`, and its secret: nobody is shown it again.

    Raises SigningKeyRefused, and its subclasses by name.
    """
    if not set(scopes) or not set(scopes) <= set(Scope.values):
        raise OddScopes
    if expires_at is not None and expires_at <= now():
        raise EndsBeforeItBegins
    with transaction.atomic():
        lock_membership(workspace, user)
        key = SigningKey(
            workspace=workspace,
            user=user,
            label=label,
            scopes=[scope for scope in Scope.values if scope in scopes],
            slot=free_slot(workspace, user, label),
            expires_at=expires_at,
        )
        secret = secrets.token_urlsafe(SECRET_BYTES)
        key.secret = {"key": secret}
        key.save(force_insert=True)
    return key, secret


def lock_membership(workspace: Workspace, user) -> None:
    """Let one key of a person be made at a time; raises NoMember."""
    rows = Membership.objects.select_for_update(no_key=True)
    if not rows.filter(workspace=workspace, user=user).exists():
        raise NoMember


def free_slot(workspace: Workspace, user, label: str) -> int:
    """Return a place for one more key; what has expired gives up its own."""
    mine = SigningKey.objects.filter(workspace=workspace, user=user, label=label)
    for expired in mine.unrevoked().filter(expires_at__lte=now()):
        expired.revoke()
    taken = set(mine.unrevoked().values_list("slot", flat=True))
    free = [slot for slot in SigningKey.SLOTS if slot not in taken]
    if not free:
        raise TwoKeysLive
    return free[0]


def succeed_signing_key(key: SigningKey, user) -> tuple[SigningKey, str]:
    """Return a key like `key` and its secret; both are live until one is revoked."""
    if key.user_id != user.pk:
        raise NotYourKey
    if key.state != "live":
        raise KeyEnded
    ends = key.expires_at and now() + (key.expires_at - key.created)
    return make_signing_key(
        key.workspace, user, key.scopes, label=key.label, expires_at=ends
    )


def forget_old_nonces() -> int:
    """Delete the nonces of signatures that are too old to be let in anyway."""
    old = SigningNonce.objects.filter(created__lt=now() - SigningNonce.KEPT)
    return delete_in_batches(old)
