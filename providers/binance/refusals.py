"""What Binance's error codes mean. Source: errors.md, and "HTTP Return Codes"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from providers.base import Trouble
from providers.errors import (
    AuthenticationFailed,
    ConsentNeeded,
    ProviderError,
    RateLimited,
    Refused,
    Unavailable,
)
from providers.waiting import BANNED, MARGIN, wait_asked
from providers.wire import Response


class ClockOff(Unavailable):
    """The time of the request was not accepted, although the clock had been compared."""


class NoSuchOrder(Refused):
    """The institution says that there is no such order."""

    code = "no_such_order"


class OrderArchived(Refused):
    """The order ended unfilled more than 90 days ago, and is not told any more."""

    code = "order_archived"


CLOCK_OFF: Final = -1021
TOO_MUCH: Final = frozenset({-1003, -1015})
MY_OWN: Final = -1015  # counted for the account, not for the address
CODES: Final[Mapping[int, type[ProviderError]]] = {
    -1000: Unavailable,
    -1001: Unavailable,
    -1002: ConsentNeeded,
    -1006: Unavailable,
    -1007: Unavailable,
    -1008: Unavailable,
    -1016: Unavailable,
    CLOCK_OFF: ClockOff,
    -1022: AuthenticationFailed,
    -1034: RateLimited,
    -2013: NoSuchOrder,
    -2014: AuthenticationFailed,
    -2015: AuthenticationFailed,
    -2026: OrderArchived,
}


def code_of(response: Response) -> int | None:
    """Return the code of a refusal, or None where it has none: a page, say."""
    try:
        code = response.json()["code"]
    except (ValueError, LookupError, TypeError):
        return None
    return code if type(code) is int else None


def meaning(code: int | None) -> type[ProviderError]:
    """Return what a code means; a refusal nobody has named is one."""
    return CODES.get(code, Refused) if code is not None else Refused


def check(name: str, response: Response) -> None:
    """Raise what a 4xx of ours means, where more is known than its status."""
    if not 400 <= response.status < 500:
        return
    code = code_of(response)
    if response.status in (418, 429) or code in TOO_MUCH:
        text = f"{name} answered {response.status}: {code}"
        raise RateLimited(text, retry_after=wait_asked(response))
    if response.status == 403 and code is None:
        # The firewall's page says nothing of the key, and may be about the rate.
        raise RateLimited(f"{name}: the firewall refused", retry_after=BANNED)
    if code is not None and code in CODES:
        raise CODES[code](f"{name}: {code}")
    if code is not None and response.status not in (401, 403):
        raise Refused(f"{name}: {code}")


def trouble(response: Response) -> Trouble | None:
    """Return how long the whole address, or this account, is to be left alone."""
    if response.status >= 500:
        return Trouble()
    code = code_of(response) if response.status >= 400 else None
    asked = wait_asked(response)
    if response.status == 418 or (response.status == 403 and code is None):
        return Trouble(MARGIN * (asked or BANNED), category="ban")
    if response.status == 429 or code in TOO_MUCH:
        hold = MARGIN * (asked or 0.0)
        return Trouble(hold, mine=code == MY_OWN, category="rate")
    return None
