"""What a connection's key may do, as its provider says."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import structlog
from django.utils.timezone import now

from accounts.models import Connection
from accounts.text import clean
from providers.base import Permissions

log = structlog.get_logger(__name__)
MAY_WITHDRAW = (
    "This key may withdraw: whoever gets hold of it can take the money. balsync never "
    "withdraws; make a key that can only read, and replace this one."
)
MAY_TRADE = (
    "This key may trade: balsync never places orders; a key that reads is enough."
)


def note_permissions(connection: Connection, told: Permissions) -> list[str]:
    """Keep what the key may do, and return what a person should be warned of."""
    may: dict[str, Any] = asdict(told)
    may["notes"] = [clean(str(note), 300) for note in told.notes][:20]
    connection.key_may, connection.key_read_at = may, now()
    connection.save(update_fields=["key_may", "key_read_at"])
    if told.withdraw:
        log.warning("Key may withdraw", connection=str(connection.pk))
    return warnings_of(may)


def warnings_of(may: dict[str, Any] | None) -> list[str]:
    """Return what is dangerous about a key, the worst first."""
    if not may:
        return []
    found = [MAY_WITHDRAW] if may.get("withdraw") else []
    return found + ([MAY_TRADE] if may.get("trade") else [])
