from __future__ import annotations

from .client import Starling as Provider

__all__ = ["Provider"]
