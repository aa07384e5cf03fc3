"""The ways to reach people: made with a check, given keys, tried out."""

from __future__ import annotations

from urllib.parse import urlsplit
from uuid import uuid4

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils.timezone import now

from accounts.events import Phase
from accounts.events.signing import new_secret
from accounts.models import Channel, Delivery, Event, Preference, Severity
from accounts.signals import events_written
from providers.addresses import AddressRefused, parse

from .outgoing import CannotReach, service_of


def add_channel(
    preference: Preference, kind: str, name: str, address: str, **more
) -> tuple[Channel, str | None]:
    """Return a new channel, and a webhook's signing secret, which is never told again.

    Raises CannotReach.
    """
    secrets = {"url": check_address(kind, address)}
    if kind == Channel.Kind.WEBHOOK:
        secrets["key"] = new_secret()
    made = Channel.objects.create(
        preference=preference,
        kind=kind,
        name=name,
        shown=_shown(kind, secrets["url"]),
        address=secrets,
        **more,
    )
    return made, secrets.get("key")


def check_address(kind: str, address: str) -> str:
    """Return `address` if something can be sent there; raises CannotReach."""
    address = address.strip()
    try:
        if kind == Channel.Kind.WEBHOOK:
            return parse(address, loopback=settings.WEBHOOKS_TO_LOOPBACK).url
        if kind == Channel.Kind.EMAIL:
            validate_email(address)
    except AddressRefused as error:
        raise CannotReach(str(error)) from error
    except ValidationError as error:
        raise CannotReach("This is no e-mail address") from error
    service_of(kind, address)
    return address


def _shown(kind: str, address: str) -> str:
    """Return what of an address is no secret."""
    if kind == Channel.Kind.WEBHOOK:
        return (urlsplit(address).hostname or "")[:100]
    if kind == Channel.Kind.EMAIL:
        name, _, host = address.rpartition("@")
        return f"{name[:1]}…@{host}"[:100]
    return address.partition("://")[0]


def replace_key(channel: Channel) -> str:
    """Return a webhook's new signing secret; the old one signs as well for a day."""
    with transaction.atomic():
        row = Channel.objects.select_for_update(no_key=True).get(pk=channel.pk)
        secrets = row.open_address()
        fresh = new_secret()
        secrets |= {"key": fresh, "old_key": secrets["key"]}
        row.address, row.old_key_until = secrets, now() + Channel.OVERLAP
        row.save(update_fields=["address", "old_key_until"])
    return fresh


def send_test(channel: Channel) -> Delivery:
    """Write a test event for this channel alone; it is delivered as any other."""
    preference = channel.preference
    with transaction.atomic():
        event = Event.objects.create(
            workspace_id=preference.workspace_id,
            kind="test",
            phase=Phase.ONCE,
            severity=Severity.INFO,
            subject_kind="channel",
            subject_id=channel.pk,
            key=f"test:{uuid4()}",
            text=f"This is a test of {channel}",
            recipient_id=preference.user_id,
            routed_at=now(),
        )
        row = Delivery.objects.create(
            event=event,
            channel=channel,
            recipient_id=preference.user_id,
            channel_kind=channel.kind,
            channel_name=channel.name,
        )
        transaction.on_commit(lambda: events_written.send(sender=Event), robust=True)
    return row
