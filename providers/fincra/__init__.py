from __future__ import annotations

from .client import Fincra as Provider

__all__ = ["Provider"]
