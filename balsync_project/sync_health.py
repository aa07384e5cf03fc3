"""How each connection is, and how its syncs of the last day went."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db.models import Count, Q
from django.urls import reverse
from django.utils.safestring import SafeString

from accounts.admin import show
from accounts.admin.base import Panel
from accounts.models import Connection, SyncRun


def connections_panel(connections: Sequence[Connection]) -> Panel:
    """Return how each connection is, and how its syncs of the last day went."""
    went = syncs_of(connections)
    return Panel(
        "Connections",
        ["Connection", "Health", "Success", "Good, 24 h"],
        [
            [
                show.link(row),
                show.health(row),
                show.when(row.last_success_at),
                went.get(row.pk, show.NOTHING),
            ]
            for row in connections
        ],
        empty="Nothing is connected yet.",
        more=reverse("admin:accounts_connection_changelist"),
        more_text="All",
    )


def syncs_of(connections: Sequence[Connection]) -> dict[Any, SafeString]:
    """Return how many syncs of the last day were good, by connection."""
    runs = SyncRun.objects.filter(
        connection__in=[row.pk for row in connections],
        created__gt=show.now() - timedelta(days=1),
        finished__isnull=False,
    )
    failed = Count("pk", filter=Q(status=SyncRun.Status.FAILED))
    told = runs.order_by().values("connection").annotate(all=Count("pk"), bad=failed)
    return {
        row["connection"]: show.label(
            f"{row['all'] - row['bad']} of {row['all']}",
            "" if not row["bad"] else "bad" if row["bad"] == row["all"] else "warn",
        )
        for row in told
    }
