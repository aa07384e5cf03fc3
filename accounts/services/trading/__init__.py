"""Reads orders, trades and positions, and keeps them true."""

from __future__ import annotations

from .carrying import (
    WHOLE,
    Later,
    Tell,
    being_read,
    carry_on,
    is_due,
    reports_trading,
    see_through,
)
from .hearing import hear
from .keys import MAY_TRADE, MAY_WITHDRAW, note_permissions, read_keys, warnings_of

__all__ = [
    "MAY_TRADE",
    "MAY_WITHDRAW",
    "WHOLE",
    "Later",
    "Tell",
    "being_read",
    "carry_on",
    "hear",
    "is_due",
    "note_permissions",
    "read_keys",
    "reports_trading",
    "see_through",
    "warnings_of",
]
