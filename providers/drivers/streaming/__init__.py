"""Streams that are held open in threads, and what they told."""

from __future__ import annotations

from .news import News, Report, State
from .session import Session

__all__ = ["News", "Report", "Session", "State"]
