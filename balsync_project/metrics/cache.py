"""Figures out of the cache that instant balances are answered from."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import Metric

from accounts.services.instant import lookups

from .database import gauge


def figures() -> Iterator[Metric]:
    """Yield how often a balance was there when it was asked for; raises StoreAway."""
    hits, misses = lookups()
    yield gauge(
        "instant_lookups",
        "Look-ups of instant balances since the cache was empty.",
        ["answer"],
        [("hit", hits), ("miss", misses)],
    )
    total = hits + misses
    text = "Which part of them was a hit; missing: nobody has asked yet."
    yield gauge("instant_hit_ratio", text, [], [(hits / total if total else None,)])
