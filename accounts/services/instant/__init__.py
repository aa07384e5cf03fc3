"""Instant answers: what is held, told from a copy that is never older than it says."""

from __future__ import annotations

from .answering import Glance, glance, hint, is_updating, peek, row_answer, settled
from .cache import (
    ACCESS,
    begin_refresh,
    end_refresh,
    note_asked,
    note_running,
    revoke_access,
    write,
)
from .rows import may_ask
from .tally import lookups, tally

__all__ = [
    "ACCESS",
    "Glance",
    "begin_refresh",
    "end_refresh",
    "glance",
    "hint",
    "is_updating",
    "lookups",
    "may_ask",
    "note_asked",
    "note_running",
    "peek",
    "revoke_access",
    "row_answer",
    "settled",
    "tally",
    "write",
]
