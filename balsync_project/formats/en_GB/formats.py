"""Moments to the second, with their zone: a minute is too coarse for money."""

from __future__ import annotations

DATETIME_FORMAT = SHORT_DATETIME_FORMAT = "Y-m-d H:i:s T"
DATE_FORMAT = SHORT_DATE_FORMAT = "Y-m-d"
