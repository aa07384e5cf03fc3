"""How each part of this installation is: for members, in the API and in the admin."""

from __future__ import annotations

from typing import Any

import redis
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.timezone import now
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.response import Response

import providers
from accounts.admin import show
from accounts.admin.base import Panel, Role, may
from accounts.api.base import Api
from accounts.api.breakers import UNKNOWN, sources_of
from accounts.models import Membership
from providers.source_health import Health as Source

from . import health, heartbeats, jobs
from .metrics.broker import depths_of

TONES = {
    Source.HEALTHY: "ok",
    Source.RECOVERING: "warn",
    Source.DEGRADED: "warn",
    Source.FAILED: "bad",
    UNKNOWN: "",
}


class PartSerializer(serializers.Serializer):
    """One part, and `ok` or what is wrong with it."""

    name = serializers.CharField()
    said = serializers.CharField()


class JobSerializer(serializers.Serializer):
    """One of beat's jobs; `late_seconds` is 0 while it is in time."""

    name = serializers.CharField()
    done_at = serializers.DateTimeField(allow_null=True)
    every_seconds = serializers.IntegerField()
    late_seconds = serializers.IntegerField()


class QueueSerializer(serializers.Serializer):
    """How many messages wait; `taken` are those that workers have."""

    name = serializers.CharField()
    depth = serializers.IntegerField()


class HealthSerializer(serializers.Serializer):
    """How everything that this installation runs on is."""

    status = serializers.ChoiceField(["ok", "unready"])
    parts = PartSerializer(many=True)
    jobs = JobSerializer(many=True)
    queues = QueueSerializer(many=True)


def detail() -> dict[str, Any]:
    """Return what `HealthSerializer` shows; what cannot be asked is left empty."""
    parts = health.looked()
    good = set(parts.values()) == {health.OK}
    return {
        "status": health.OK if good else "unready",
        "parts": [{"name": name, "said": said} for name, said in parts.items()],
        "jobs": [shown(job) for job in known_jobs()],
        "queues": [{"name": n, "depth": d} for n, d in known_depths().items()],
    }


def known_jobs() -> list[jobs.Job]:
    """Return beat's jobs; none while the database or the broker is away."""
    try:
        return jobs.known()
    except (redis.RedisError, DatabaseError):
        return []  # the parts say which, and why


def known_depths() -> dict[str, int]:
    """Return how many messages wait, by queue; nothing while the broker is away."""
    try:
        with heartbeats.store() as client:
            return depths_of(client)
    except redis.RedisError:
        return {}  # the parts say why


def shown(job: jobs.Job) -> dict[str, Any]:
    return {
        "name": job.name,
        "done_at": job.done_at,
        "every_seconds": round(job.every.total_seconds()),
        "late_seconds": round(job.late.total_seconds()),
    }


class IsMember(BasePermission):
    """Lets whoever has a role in any workspace look at the installation."""

    def has_permission(self, request, view) -> bool:
        return bool(view.memberships)


class Health(Api):
    queryset = Membership.objects.none()
    permission_classes = [IsAuthenticated, IsMember]

    @extend_schema(operation_id="health", responses=HealthSerializer)
    def get(self, request):
        """Tell how each part of the installation is, and which job is late."""
        return Response(HealthSerializer(detail()).data)


def page(request: HttpRequest) -> HttpResponse:
    """Show the same to people."""
    if not may(request, Role.VIEWER):
        raise PermissionDenied
    told = detail()
    context = admin.site.each_context(request) | {
        "title": "Health",
        "panels": [
            parts_panel(told),
            sources_panel(),
            jobs_panel(told),
            queues_panel(told),
        ],
    }
    return TemplateResponse(request, "admin/health.html", context)


def parts_panel(told: dict[str, Any]) -> Panel:
    return Panel(
        "Parts",
        ["Part", "Says"],
        [
            [
                part["name"],
                show.label(part["said"], "ok" if part["said"] == health.OK else "bad"),
            ]
            for part in told["parts"]
        ],
    )


def sources_panel() -> Panel:
    """Return how each host of each provider is, and when one left alone is tried again."""
    found = [
        (show.provider(slug), source)
        for slug in providers.slugs()
        for source in sources_of(slug, now())
    ]
    return Panel(
        "Sources",
        [
            *("Provider", "Host", "Is", "Because", "Answers within", "Tried again"),
            "Failures so far",
        ],
        [
            [
                name,
                source["host"],
                show.label(source["health"], TONES[source["health"]]),
                source["reason"] or "–",
                "–" if source["p95_ms"] is None else f"{source['p95_ms']} ms",
                show.when(source["next_try_at"]) if source["next_try_at"] else "–",
                ", ".join(f"{n} {kind}" for kind, n in source["failures"].items())
                or "–",
            ]
            for name, source in found
        ],
    )


def jobs_panel(told: dict[str, Any]) -> Panel:
    return Panel(
        "Jobs",
        ["Job", "Last done", "Every", "In time"],
        [
            [
                job["name"],
                show.when(job["done_at"]),
                show.span(job["every_seconds"]),
                in_time(job["late_seconds"]),
            ]
            for job in told["jobs"]
        ],
        empty="Nothing is known of them now.",
    )


def in_time(late_seconds: int) -> Any:
    if not late_seconds:
        return show.label("yes", "ok")
    return show.label(f"late by {show.span(late_seconds)}", "bad")


def queues_panel(told: dict[str, Any]) -> Panel:
    return Panel(
        "Queues",
        ["Queue", "Messages"],
        [[queue["name"], queue["depth"]] for queue in told["queues"]],
        empty="The broker is away.",
    )
