"""Drivers run adapters: `blocking` one call at a time, `fleet` hundreds at once."""

from __future__ import annotations

from .blocking import Blocking, blocking
from .fleet import Fleet, fleet
from .gate import Gate
from .gates import configure, gate_for

__all__ = [
    "Blocking",
    "Fleet",
    "Gate",
    "blocking",
    "configure",
    "fleet",
    "gate_for",
]
