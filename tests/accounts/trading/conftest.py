from __future__ import annotations

from .exchange import bourse, connection

__all__ = ["bourse", "connection"]
