from __future__ import annotations

from .client import Flutterwave as Provider

__all__ = ["Provider"]
