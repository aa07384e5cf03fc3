"""Coinbase on this machine: the same wire protocol, as strict as the exchange."""

from __future__ import annotations

from .exchange import Coinbase as Sandbox

__all__ = ["Sandbox"]
