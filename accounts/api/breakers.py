from __future__ import annotations

from typing import Any

from rest_framework import serializers

import providers
from providers.drivers import gate_for
from providers.store import StoreAway


class BreakerSerializer(serializers.Serializer):
    """Whether the provider is being left alone after failures."""

    state = serializers.ChoiceField(["closed", "open", "half_open", "unknown"])
    retry_in_seconds = serializers.FloatField(allow_null=True)


def breaker_of(slug: str) -> dict[str, Any]:
    """Return the breaker of a provider; `unknown` while nobody can say."""
    if slug not in providers.slugs():
        return {"state": "unknown", "retry_in_seconds": None}
    try:
        verdict = gate_for(slug).state()
    except StoreAway:
        return {"state": "unknown", "retry_in_seconds": None}
    left = verdict.left / 1000 if verdict.left else None
    return {"state": verdict.state.value, "retry_in_seconds": left}
