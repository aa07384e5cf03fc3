from __future__ import annotations

from tests.fixtures_api import world
from tests.fixtures_bank import sandbox

__all__ = ["sandbox", "world"]
