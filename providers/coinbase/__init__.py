from __future__ import annotations

from .client import Coinbase as Provider

__all__ = ["Provider"]
