"""What may be told, when, and how it is signed: decisions without a database."""

from __future__ import annotations

from .kinds import KINDS, Kind, kind_named, register
from .rising import Edge, Phase, forgotten, observe, pause

__all__ = [
    "KINDS",
    "Edge",
    "Kind",
    "Phase",
    "forgotten",
    "kind_named",
    "observe",
    "pause",
    "register",
]
