"""Moves every secret to the newest key, one row at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from django.db import transaction

from accounts.models import Connection
from accounts.sealing import CannotOpen, newest_key_id


@dataclass(slots=True)
class Rotation:
    """How many secrets were sealed again, and which cannot be opened."""

    sealed: int = 0
    current: int = 0
    unreadable: list[UUID] = field(default_factory=list)


def rotate_keys() -> Rotation:
    """Seal every connection's credentials with the newest key. Safe to stop and repeat."""
    done = Rotation()
    for pk in Connection.objects.order_by("pk").values_list("pk", flat=True):
        with transaction.atomic():
            _rotate(Connection.objects.select_for_update(no_key=True).get(pk=pk), done)
    return done


def _rotate(row: Connection, done: Rotation) -> None:
    if row.credentials.key_id == newest_key_id():
        done.current += 1
        return
    try:
        sealed = row.seal_credentials(row.open_credentials())
    except CannotOpen:
        done.unreadable.append(row.pk)
        return
    Connection.objects.filter(pk=row.pk).update(credentials=sealed)
    done.sealed += 1
