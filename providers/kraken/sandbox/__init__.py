"""Kraken on this machine: strict about signatures, nonces, counters and parameters."""

from __future__ import annotations

from .exchange import Exchange as Sandbox

__all__ = ["Sandbox"]
