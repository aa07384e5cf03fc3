from __future__ import annotations

from .client import Polygon as Provider

__all__ = ["Provider"]
