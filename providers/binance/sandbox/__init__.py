from __future__ import annotations

from .exchange import Binance as Sandbox

__all__ = ["Sandbox"]
