from __future__ import annotations

from tests.fixtures_api import world

__all__ = ["world"]
