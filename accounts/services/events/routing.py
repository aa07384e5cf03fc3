"""From events to deliveries: who wants to hear of it, and when that may be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils.timezone import now

from accounts.events import Phase, kind_named
from accounts.events.quiet import quiet_until
from accounts.models import Channel, Delivery, Event, Severity
from accounts.signals import events_told

TOGETHER = 500  # events routed in one transaction
# A person is told of the same thing once in this time, unless it is critical.
PACE = timedelta(minutes=15)

Alike = tuple[UUID, str, str]  # channel, kind and key


def route() -> int:
    """Make the deliveries of events that have none yet; return how many events."""
    with transaction.atomic():
        unrouted = Event.objects.select_for_update(skip_locked=True)
        events = list(unrouted.filter(routed_at=None).order_by("created")[:TOGETHER])
        if not events:
            return 0
        moment = now()
        rows = list(_deliveries(events, moment))
        Delivery.objects.bulk_create(rows, ignore_conflicts=True)
        ids = [event.pk for event in events]
        Event.objects.filter(pk__in=ids).update(routed_at=moment)
    events_told.send_robust(sender=Event, events=events)
    return len(events)


def _deliveries(events: Sequence[Event], moment: datetime) -> Iterator[Delivery]:
    channels = _channels({event.workspace_id for event in events})
    lately = _told_lately(channels, events, moment)
    for event in events:
        for channel in channels:
            if wants(channel, event):
                yield _delivery(event, channel, lately, moment)


def _channels(workspaces: set[UUID]) -> list[Channel]:
    """Return the ways to reach those who are still members there."""
    rows = Channel.objects.filter(
        enabled=True,
        preference__workspace__in=workspaces,
        preference__user__is_active=True,
        preference__workspace__memberships__user=F("preference__user"),
    )
    return list(rows.select_related("preference").order_by("created"))


def wants(channel: Channel, event: Event) -> bool:
    """Say whether `event` is to be told over `channel`."""
    preference, kind = channel.preference, kind_named(event.kind)
    return (
        preference.workspace_id == event.workspace_id
        and event.recipient_id in (None, preference.user_id)
        and kind in preference.kinds
        and (not channel.kinds or kind in channel.kinds)
    )


def _told_lately(
    channels: Sequence[Channel], events: Sequence[Event], moment: datetime
) -> set[Alike]:
    """Return what was told to people a moment ago."""
    people = [c.pk for c in channels if c.kind != Channel.Kind.WEBHOOK]
    rows = Delivery.objects.filter(
        channel__in=people,
        event__key__in={event.key for event in events},
        created__gt=moment - PACE,
    ).exclude(status=Delivery.Status.HELD_BACK)
    return set(rows.values_list("channel", "event__kind", "event__key"))


def _delivery(
    event: Event, channel: Channel, lately: set[Alike], moment: datetime
) -> Delivery:
    row = Delivery(
        event=event,
        channel=channel,
        recipient_id=channel.preference.user_id,
        channel_kind=channel.kind,
        channel_name=channel.name,
        next_attempt_at=moment,
    )
    if channel.kind == Channel.Kind.WEBHOOK or event.severity == Severity.CRITICAL:
        return row  # machines never sleep, and some news cannot wait
    alike = channel.pk, event.kind, event.key
    if event.phase == Phase.ONCE and alike in lately:
        row.status, row.next_attempt_at = Delivery.Status.HELD_BACK, None
        return row
    lately.add(alike)
    known = channel.preference
    until = quiet_until(moment, known.zone, known.quiet_from, known.quiet_until)
    row.next_attempt_at = until or moment
    return row
