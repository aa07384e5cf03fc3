"""Kraken's private WebSocket, version 2: balances and executions, without a socket."""

from __future__ import annotations

from .executions import Reports
from .feed import BALANCES, KrakenFeed

__all__ = ["BALANCES", "KrakenFeed", "Reports"]
