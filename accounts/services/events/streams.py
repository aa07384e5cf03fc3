"""Streams that were live and are so no more, told when that lasts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db.models import Q

from accounts.models import Severity, Stream

from .conditions import Found

LASTING = timedelta(seconds=30)  # what is mended sooner is no news


def lost_streams(moment: datetime) -> Iterator[Found]:
    """Yield streams that were live and have not been for a while: REST is asked."""
    rows = Stream.objects.in_use().exclude(lived_at=None).select_related("connection")
    held = Q(lease_until__gt=moment, state=Stream.State.LIVE)
    gone = rows.exclude(held).filter(lived_at__lt=moment - LASTING)
    for row in gone.defer("connection__credentials"):
        why = row.reason or ("it connects" if row.is_held else "nobody holds it open")
        yield Found(
            f"fallback_activated:stream:{row.pk}",
            row.connection.workspace_id,
            "connection",
            row.connection_id,
            Severity.WARNING,
            f"{row.connection} has lost its stream ({why}): it is asked instead",
            {
                "connection": str(row.connection_id),
                "stream": row.name,
                "state": row.shown_state,
                "since": row.since.isoformat(),
            },
        )
