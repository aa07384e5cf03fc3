"""Consent in the browser: sent away with a state, welcomed back once (RFC 6749, 10.12)."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.urls import reverse
from django.utils.timezone import now

from accounts.models import AuthorizationRequest, Connection, SyncRun
from providers import Provider
from providers.base import Authorizes
from providers.drivers.blocking import blocking
from providers.errors import AuthenticationFailed, ProviderError

from . import tokens
from .adapters import adapter_of
from .auditing import audit
from .sync import sync

BACKFILL_SECONDS = 60.0  # old history may be closed minutes after the consent


class AuthorizationFailed(ProviderError):
    """This consent cannot be used: begin again."""

    code = "authorization_failed"


class NoConsentNeeded(ProviderError):
    """Nobody gives consent in a browser for this provider."""

    code = "no_consent_needed"


def callback_address(slug: str) -> str:
    """Return where a provider sends a person back to."""
    path = reverse("oauth_callback", kwargs={"slug": slug})
    return settings.BALSYNC_PUBLIC_URL.rstrip("/") + path


def start_authorization(
    connection: Connection, user=None, *, redirect_uri: str | None = None
) -> str:
    """Return the page where `user` consents; the way back works once, for 30 minutes."""
    provider = _authorizing(connection)
    back = redirect_uri or callback_address(connection.provider)
    state = secrets.token_urlsafe(32)
    AuthorizationRequest.objects.create(
        state_digest=_digest(state),
        connection=connection,
        user=user,
        redirect_uri=back,
    )
    return provider.authorization_url(back, state)


def finish_authorization(state: str, code: str, *, user=None) -> Connection:
    """Exchange `code`, store the tokens, and read accounts and all history at once.

    Raises AuthorizationFailed for a state that is wrong, used, too old or another
    person's, and ProviderError if the provider cannot be asked. Where the person must
    still approve elsewhere the connection is `awaiting_approval` and is tried again.
    """
    request = _use(state, user)
    connection = request.connection
    provider = _authorizing(connection)
    try:
        granted = blocking(connection.provider).run(
            provider, provider.exchange(code, request.redirect_uri)
        )
    except AuthenticationFailed as error:
        raise AuthorizationFailed(str(error)) from error
    _welcome(connection, provider)
    tokens.store(connection, granted)
    sync([connection], SyncRun.Kind.START_UP, seconds=BACKFILL_SECONDS, full=True)
    connection.refresh_from_db()
    return connection


def _use(state: str, user) -> AuthorizationRequest:
    """Use a state up; only the winner of two callbacks goes on."""
    mine = Q(user=None) | Q(user=user) if user is not None else Q(user=None)
    usable = AuthorizationRequest.objects.filter(
        mine,
        state_digest=_digest(state),
        used_at=None,
        created__gt=now() - AuthorizationRequest.LIFETIME,
        connection__archived_at=None,
    )
    if usable.update(used_at=now()) != 1:
        raise AuthorizationFailed
    rows = AuthorizationRequest.objects.select_related("connection")
    return rows.get(state_digest=_digest(state))


def _welcome(connection: Connection, provider: Provider) -> None:
    """Forget how the connection was before: whether the consent counts is yet to be seen."""
    lasts = provider.consent_days if isinstance(provider, Authorizes) else None
    ends = now() + timedelta(days=lasts) if lasts else None
    with transaction.atomic():
        Connection.objects.filter(pk=connection.pk).update(
            health=Connection.Health.NEW,
            error_code="",
            error="",
            failures=0,
            consent_expires_at=ends,
        )
        audit("connection.authorized", connection, new={"consent_expires_at": ends})
    tokens.reload(connection)


def _authorizing(connection: Connection) -> Provider:
    provider = adapter_of(connection)
    if not isinstance(provider, Authorizes):
        raise NoConsentNeeded
    return provider


def _digest(state: str) -> str:
    return hashlib.sha256(state.encode()).hexdigest()
