from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.timezone import now

from accounts.fields import SealedJSONField
from accounts.signals import access_revoked
from accounts.visibility import seen_by

from .base import Row
from .workspace import Workspace


class Scope(models.TextChoices):
    """What a signed request may be about; none holds another."""

    READ = "read"
    SYNC = "sync"
    RUN = "run"
    ADMIN = "admin"


class SigningKeyQuerySet(models.QuerySet):
    def of(self, user) -> SigningKeyQuerySet:
        """Return the keys of the workspaces that `user` sees."""
        return self.filter(seen_by(user))

    def unrevoked(self) -> SigningKeyQuerySet:
        return self.filter(revoked_at=None)

    def live(self) -> SigningKeyQuerySet:
        """Return the keys that are neither revoked nor expired."""
        unexpired = Q(expires_at=None) | Q(expires_at__gt=now())
        return self.unrevoked().filter(unexpired)

    def usable(self) -> SigningKeyQuerySet:
        """Return the live keys whose user may still come in, with the user."""
        return (
            self.live()
            .filter(user__is_active=True, workspace__memberships__user=F("user"))
            .select_related("user")
        )


class SigningKey(Row):
    """A secret that signs requests for one user in one workspace; its id is the keyid."""

    SLOTS = (1, 2)  # the old key and its successor
    USED_ROUGHLY = timedelta(minutes=1)

    workspace = models.ForeignKey(
        Workspace, models.CASCADE, related_name="signing_keys"
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="signing_keys"
    )
    label = models.CharField(max_length=100, blank=True)
    secret = SealedJSONField(default=dict, editable=False)
    scopes = models.JSONField(default=list)
    slot = models.PositiveSmallIntegerField(editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = SigningKeyQuerySet.as_manager()

    class Meta:
        ordering = ["-created"]
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "user", "label", "slot"],
                condition=Q(revoked_at=None),
                name="two_live_signing_keys",
            ),
            models.CheckConstraint(
                condition=Q(slot__in=(1, 2)), name="signing_key_slot"
            ),
            models.CheckConstraint(
                condition=Q(scopes__contained_by=Scope.values) & ~Q(scopes=[]),
                name="signing_key_scopes",
            ),
        ]

    def __str__(self) -> str:
        return self.label or f"key {str(self.pk)[:8]}"

    @property
    def state(self) -> str:
        """Return `live`, `expired` or `revoked`."""
        if self.revoked_at is not None:
            return "revoked"
        expired = self.expires_at is not None and self.expires_at <= now()
        return "expired" if expired else "live"

    def revoke(self) -> None:
        """End this key at once and erase its secret; what is ended stays as it is."""
        ended = {"revoked_at": now(), "secret": self.seal_secret({})}
        SigningKey.objects.unrevoked().filter(pk=self.pk).update(**ended)
        access_revoked.send(sender=SigningKey)
        self.refresh_from_db(fields=["revoked_at", "secret"])

    def note_use(self) -> None:
        """Keep roughly when this key was last used."""
        moment = now()
        if self.last_used_at and self.last_used_at > moment - self.USED_ROUGHLY:
            return
        SigningKey.objects.filter(pk=self.pk).update(last_used_at=moment)


class SigningNonce(models.Model):
    """A nonce that a key has signed with: it opens nothing a second time."""

    # A signature is good for 300 s before and after its time: 600 s, and some to spare.
    KEPT = timedelta(seconds=900)

    key = models.ForeignKey(SigningKey, models.CASCADE, related_name="nonces")
    nonce = models.CharField(max_length=128)
    created = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["key", "nonce"], name="one_use_per_nonce")
        ]

    def __str__(self) -> str:
        return self.nonce
