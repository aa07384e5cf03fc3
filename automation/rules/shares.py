"""Shares are plain decimals, more than 0 and at most 1: `0.70`, never `70`."""

from __future__ import annotations

import re
from decimal import Decimal

# Eighteen places: more would be rounded in silence by the database column.
SHARE = re.compile(r"0\.[0-9]{1,18}|1(\.0{1,18})?", re.ASCII)


class ShareError(ValueError):
    """A share is a plain decimal, more than 0 and at most 1, such as "0.25"."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)


def parse_share(text: object) -> Decimal:
    """Return the share written in `text`; raises ShareError."""
    if not isinstance(text, str) or not SHARE.fullmatch(text):
        raise ShareError(f"{text!r} is no share such as 0.25 (more than 0, at most 1)")
    share = Decimal(text)
    if not share:
        raise ShareError("A share must be more than 0")
    return share


def percent(share: Decimal | None) -> str:
    """Return `share` for people: `70 %`."""
    return "" if share is None else f"{(share * 100).normalize():f} %"
