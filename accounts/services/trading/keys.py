"""What a connection's key may do, as its provider says."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from time import monotonic
from typing import Any

import structlog
from django.db.models import F, Q
from django.utils.timezone import now

import providers
from accounts.models import Connection
from accounts.services.calling import call
from accounts.text import clean
from providers.base import DescribesKey, Permissions
from providers.errors import ProviderError

log = structlog.get_logger(__name__)
KEY_EVERY = timedelta(days=1)  # what a key may do is asked so often
TURN = 50.0  # seconds for one turn, which ends before the time of its task does
MAY_WITHDRAW = (
    "This key may withdraw: whoever gets hold of it can take the money. balsync never "
    "withdraws; make a key that can only read, and replace this one."
)
MAY_TRADE = (
    "This key may trade: balsync never places orders; a key that reads is enough."
)


def note_permissions(connection: Connection, told: Permissions) -> list[str]:
    """Keep what the key may do, and return what a person should be warned of.

    When it ends is kept as the end of a consent, which is announced a week ahead.
    """
    may: dict[str, Any] = asdict(told)
    may["notes"] = [clean(str(note), 300) for note in told.notes][:20]
    ends = may.pop("ends")
    connection.key_may, connection.key_read_at = may, now()
    fields = ["key_may", "key_read_at"]
    if ends is not None:
        connection.consent_expires_at = ends
        fields.append("consent_expires_at")
    connection.save(update_fields=fields)
    if told.withdraw:
        log.warning("Key may withdraw", connection=str(connection.pk))
    return warnings_of(may)


def read_keys() -> int:
    """Ask what keys may do, and when they end, where nobody did for a day.

    Returns how many were told; one that cannot be told is asked about the next time.
    Who does not answer syncs either is not waited for, and the oldest come first.
    """
    ends = monotonic() + TURN
    able = [s for s in providers.slugs() if issubclass(providers.load(s), DescribesKey)]
    old = Q(key_read_at=None) | Q(key_read_at__lt=now() - KEY_EVERY)
    told = 0
    rows = Connection.objects.in_use().filter(old, provider__in=able, failures=0)
    for row in rows.order_by(F("key_read_at").asc(nulls_first=True), "created"):
        try:
            note_permissions(row, call(row, lambda provider: provider.permissions()))
        except ProviderError as error:
            log.warning("Key not read", connection=str(row.pk), error=str(error)[:300])
        else:
            told += 1
        if monotonic() >= ends:
            break
    return told


def warnings_of(may: dict[str, Any] | None) -> list[str]:
    """Return what is dangerous about a key, the worst first."""
    if not may:
        return []
    found = [MAY_WITHDRAW] if may.get("withdraw") else []
    return found + ([MAY_TRADE] if may.get("trade") else [])
