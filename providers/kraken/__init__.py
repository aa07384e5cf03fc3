from __future__ import annotations

from .client import Kraken as Provider

__all__ = ["Provider"]
