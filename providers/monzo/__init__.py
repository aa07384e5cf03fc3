from __future__ import annotations

from .client import Monzo as Provider

__all__ = ["Provider"]
