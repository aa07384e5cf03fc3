"""An event as it is sent: to a program, or to a person."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils.timezone import now

from accounts.events import Phase
from accounts.models import Channel, Delivery, Event
from accounts.sealing import CannotOpen


@dataclass(frozen=True, slots=True)
class Message:
    """What goes over one channel. `address` and `keys` are secrets."""

    kind: str
    id: str
    body: bytes
    title: str
    text: str
    address: str = field(repr=False)
    keys: tuple[str, ...] = field(repr=False, default=())


def message(row: Delivery, held_back: int = 0) -> Message | None:
    """Return the message of a delivery; None if its channel's secrets cannot be read."""
    event, channel = row.event, row.channel
    try:
        secrets = channel.open_address()
    except CannotOpen:
        return None
    return Message(
        kind=channel.kind,
        id=str(event.pk),
        body=json.dumps(event_data(event), separators=(",", ":")).encode(),
        title=f"[balsync] {event.severity}: {event.kind.replace('_', ' ')}",
        text=_text(event, held_back),
        address=secrets["url"],
        keys=signing_keys(channel, secrets, now()),
    )


def signing_keys(
    channel: Channel, secrets: Mapping[str, str], moment: datetime
) -> tuple[str, ...]:
    """Return the keys that sign now: the newest, and for a day the one before it."""
    old = channel.old_key_until is not None and moment < channel.old_key_until
    names = ("key", "old_key") if old else ("key",)
    return tuple(secrets[name] for name in names if name in secrets)


def event_data(event: Event) -> dict[str, Any]:
    """Return an event as programs are told it; money is an object of strings."""
    return {
        "id": str(event.pk),
        "type": event.kind,
        "timestamp": event.created.isoformat().replace("+00:00", "Z"),
        "phase": event.phase,
        "severity": event.severity,
        "workspace": str(event.workspace_id),
        "subject": {"kind": event.subject_kind, "id": str(event.subject_id)},
        "text": event.text,
        "data": event.data,
    }


def _text(event: Event, held_back: int) -> str:
    lines = [event.text]
    if event.phase == Phase.AGAIN:
        lines.append("This was told before and still holds.")
    if held_back:
        lines.append(f"{held_back} more like it were held back since the last message.")
    lines.append(f"{event.workspace} – {settings.BALSYNC_PUBLIC_URL}")
    return "\n".join(lines)
