"""When a condition that lasts is told: as it begins, ever less often, as it ends.

A condition that comes and goes is told no more often than one that stays.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum, auto

RANK = {"info": 0, "warning": 1, "error": 2, "critical": 3}
# From the first time it is told to the second; then it doubles, up to the longest.
FIRST = {
    "info": timedelta(days=1),
    "warning": timedelta(hours=6),
    "error": timedelta(hours=1),
    "critical": timedelta(minutes=15),
}
LONGEST = {
    "info": timedelta(days=7),
    "warning": timedelta(days=2),
    "error": timedelta(days=1),
    "critical": timedelta(hours=6),
}
CALM = 2  # pauses after which it is forgotten that it was ever told


class Phase(StrEnum):
    """What an event says of its condition; `once`: it does not last."""

    ONCE = auto()
    BEGAN = auto()
    AGAIN = auto()
    ENDED = auto()


@dataclass(frozen=True, slots=True)
class Edge:
    """What is known of one condition, and what was told of it."""

    holds: bool = False
    since: datetime | None = None
    heard: bool = False  # who listens believes that it holds
    told: int = 0  # times since it was last calm
    told_at: datetime | None = None
    severity: str = "info"  # the worst that was told since then


def pause(severity: str, told: int) -> timedelta:
    """Return how long nothing more is told after it was told so many times."""
    doublings = min(max(told - 1, 0), 16)
    return min(FIRST[severity] * 2**doublings, LONGEST[severity])


def forgotten(edge: Edge, now: datetime) -> bool:
    """Say whether nothing of `edge` matters any more."""
    if edge.holds:
        return False
    quiet = CALM * pause(edge.severity, edge.told)
    return edge.told_at is None or edge.told_at + quiet <= now


def observe(
    edge: Edge, holds: bool, severity: str, now: datetime
) -> tuple[Edge, Phase | None]:
    """Return what follows from a look at the condition, and what is to be told of it."""
    if forgotten(edge, now):
        edge = Edge()
    if not holds:
        ended = replace(edge, holds=False, since=None, heard=False)
        return ended, Phase.ENDED if edge.heard else None
    if not edge.holds:
        edge = replace(edge, holds=True, since=now)
    if not _is_due(edge, severity, now):
        return edge, None
    worst = max(edge.severity, severity, key=RANK.__getitem__)
    phase = Phase.AGAIN if edge.heard else Phase.BEGAN
    told = replace(edge, heard=True, told=edge.told + 1, told_at=now, severity=worst)
    return told, phase


def _is_due(edge: Edge, severity: str, now: datetime) -> bool:
    if edge.told_at is None:
        return True
    if RANK[severity] > RANK[edge.severity]:
        return True  # worse than anything that was told
    return now >= edge.told_at + pause(severity, edge.told)
