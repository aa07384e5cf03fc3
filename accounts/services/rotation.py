"""Moves every secret to the newest key, one row at a time."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from django.db import transaction
from django.db.models import Model

from accounts.models import (
    AuthenticatorApp,
    Channel,
    Connection,
    RecoveryCodes,
    SigningKey,
)
from accounts.sealing import CannotOpen, newest_key_id


@dataclass(slots=True)
class Rotation:
    """How many secrets were sealed again, and which cannot be opened."""

    sealed: int = 0
    current: int = 0
    unreadable: list[UUID | int] = field(default_factory=list)


# Every column of secrets that lives longer than a week.
SEALED: tuple[tuple[type[Model], str], ...] = (
    (Connection, "credentials"),
    (SigningKey, "secret"),
    (Channel, "address"),
    (AuthenticatorApp, "secret"),
    (RecoveryCodes, "codes"),
)


def rotate_keys() -> Rotation:
    """Seal every secret with the newest key. Safe to stop and repeat."""
    done = Rotation()
    for model, column in SEALED:
        for pk in model.objects.order_by("pk").values_list("pk", flat=True):
            with transaction.atomic():
                row = model.objects.select_for_update(no_key=True).get(pk=pk)
                _rotate(row, column, done)
    return done


def _rotate(row: Model, name: str, done: Rotation) -> None:
    if getattr(row, name).key_id == newest_key_id():
        done.current += 1
        return
    column = row._meta.get_field(name)
    try:
        sealed = column.seal(row, column.open(row))
    except CannotOpen:
        done.unreadable.append(row.pk)
        return
    type(row).objects.filter(pk=row.pk).update(**{name: sealed})
    done.sealed += 1
