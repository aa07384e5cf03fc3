from __future__ import annotations

from .client import Binance as Provider

__all__ = ["Provider"]
