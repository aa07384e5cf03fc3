from __future__ import annotations

from tests.fixtures_api import published, world

__all__ = ["published", "world"]
