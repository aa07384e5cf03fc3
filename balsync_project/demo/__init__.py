"""The demo: one person, who banks at the sandboxes, and one payday of theirs."""

from __future__ import annotations

from .payday import PaydayWrong, play_payday
from .seed import seed

__all__ = ["PaydayWrong", "play_payday", "seed"]
