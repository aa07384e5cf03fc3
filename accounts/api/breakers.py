from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from rest_framework import serializers

import providers
from providers.drivers import gate_for
from providers.source_health import Health
from providers.store import StoreAway

UNKNOWN = "unknown"


class BreakerSerializer(serializers.Serializer):
    """Whether the provider is being left alone after failures."""

    state = serializers.ChoiceField(["closed", "open", "half_open", UNKNOWN])
    retry_in_seconds = serializers.FloatField(allow_null=True)


class SourceSerializer(serializers.Serializer):
    """How one host of a provider is, by its last answers.

    `degraded`: three failures in a row, or one answer in twenty takes over five seconds.
    `failed`: it is left alone until `next_try_at`. `recovering`: until three requests
    in a row went well.
    """

    host = serializers.CharField()
    health = serializers.ChoiceField([*(h.value for h in Health), UNKNOWN])
    reason = serializers.CharField(allow_blank=True)
    p95_ms = serializers.IntegerField(
        allow_null=True, help_text="Of the last hundred answers within an hour."
    )
    next_try_at = serializers.DateTimeField(allow_null=True)
    failures = serializers.DictField(
        child=serializers.IntegerField(),
        help_text="How many requests failed so far, by category.",
    )


def sources_of(slug: str, now: datetime) -> list[dict[str, Any]]:
    """Return how each host of a provider is; `unknown` while nobody can say."""
    return [source_of(slug, host, now) for host in providers.load(slug).hosts]


def source_of(slug: str, host: str, now: datetime) -> dict[str, Any]:
    gate = gate_for(slug, host)
    try:
        found, failures = gate.health(), gate.breaker.failures()
    except StoreAway:
        unknown = {"health": UNKNOWN, "reason": "The shared store is away"}
        nothing = {"p95_ms": None, "next_try_at": None, "failures": {}}
        return {"host": host, **unknown, **nothing}
    left = found.left
    return {
        "host": host,
        "health": found.health.value,
        "reason": found.reason,
        "p95_ms": found.p95,
        "next_try_at": None if left is None else now + timedelta(milliseconds=left),
        "failures": dict(sorted(failures.items())),
    }


def breaker_of(slug: str) -> dict[str, Any]:
    """Return the breaker of a provider; `unknown` while nobody can say."""
    if slug not in providers.slugs():
        return {"state": UNKNOWN, "retry_in_seconds": None}
    try:
        verdict = gate_for(slug).state()
    except StoreAway:
        return {"state": UNKNOWN, "retry_in_seconds": None}
    left = verdict.left / 1000 if verdict.left else None
    return {"state": verdict.state.value, "retry_in_seconds": left}
