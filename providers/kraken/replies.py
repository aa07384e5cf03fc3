"""What Kraken's answers say before their result: errors come with HTTP 200.

Source: docs, "Spot Errors" and "Spot REST Rate Limits".
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from providers.base import Trouble
from providers.errors import (
    AuthenticationFailed,
    ConsentNeeded,
    InsufficientFunds,
    ProviderError,
    RateLimited,
    Refused,
    Unavailable,
    UnexpectedResponse,
)
from providers.money import PLAIN_DECIMAL, MoneyError
from providers.waiting import MARGIN
from providers.wire import Response

FINE: Final = (b'{"error":[],', b'{"error": [],')  # how an answer without errors begins
LOCKOUT: Final = 900.0  # seconds; each attempt before its end may make it longer
# What an exceeded counter needs to sink again; asking meanwhile makes it longer.
SINKING: Final = 10.0
LONGEST_THROTTLE: Final = 60.0  # seconds; a moment further away is a clock gone wrong


DIGITS: Final = 60  # more than any amount has before its point, or zeros after it


class StaleNonce(Unavailable):
    """A nonce came too late: another one of this key overtook it."""


class UnknownOrder(Refused):
    """Kraken says that there is no such order."""


# By the beginning of the error; the first that fits counts.
ERRORS: Final[Sequence[tuple[str, type[ProviderError]]]] = (
    ("EAPI:Invalid nonce", StaleNonce),
    ("EAPI:Rate limit exceeded", RateLimited),
    ("EAuth:Rate limit exceeded", RateLimited),
    ("EAuth:Too many requests", RateLimited),
    ("EGeneral:Too many requests", RateLimited),
    ("EService:Throttled", RateLimited),
    ("EGeneral:Temporary lockout", RateLimited),
    ("EGeneral:Permission denied", ConsentNeeded),
    ("EGeneral:Internal error", Unavailable),
    ("EGeneral:", Refused),
    ("EAPI:Invalid key", AuthenticationFailed),
    ("EAPI:Invalid signature", AuthenticationFailed),
    ("EAPI:", Refused),
    ("EAuth:", AuthenticationFailed),
    ("EAccount:", AuthenticationFailed),
    ("ESession:", AuthenticationFailed),
    ("EService:", Unavailable),
    ("EDatabase:", Unavailable),
    ("EOrder:Unknown order", UnknownOrder),
    ("EQuery:Unknown order", UnknownOrder),
    ("EOrder:Insufficient funds", InsufficientFunds),
    ("EOrder:", Refused),
    ("EFunding:", Refused),
    ("EQuery:", Refused),
    ("ETrade:", Refused),
    ("EBM:", Refused),
)
LIMITS: Final = (
    "EAPI:Rate limit",
    "EAuth:Rate",
    "EAuth:Too",
    "EGeneral:Too",
    "EService:Throttled",
)


def result_of(body: Any) -> Any:
    """Return the result in an answer; raises what its first error means."""
    for text in told(body["error"]):
        raise named(text)
    return body["result"]


def told(errors: Any) -> Sequence[str]:
    """Return the errors among what an answer lists; the rest are warnings."""
    if not isinstance(errors, list) or not all(isinstance(e, str) for e in errors):
        raise TypeError("`error` is no list of texts")
    # "EService: Throttled: 1700000000" is documented with a blank, others without.
    return [re.sub(r":\s+", ":", e, count=1) for e in errors if not e.startswith("W")]


def named(text: str, now: datetime | None = None) -> ProviderError:
    """Return what an error means; one that is not documented is unexpected."""
    kind = next((k for begin, k in ERRORS if text.startswith(begin)), None)
    if kind is None:
        return UnexpectedResponse(f"Kraken: {text:.200}")
    if kind is RateLimited:
        return RateLimited(f"Kraken: {text:.200}", retry_after=hold_of(text, now))
    return kind(f"Kraken: {text:.200}")


def hold_of(text: str, now: datetime | None = None) -> float:
    """Return the seconds for which an error asks to be left alone."""
    if text.startswith("EGeneral:Temporary lockout"):
        return LOCKOUT
    if not text.startswith("EService:Throttled"):
        return SINKING
    until = re.search(r"[0-9]{1,12}$", text, re.ASCII)
    if until is None:
        return SINKING
    left = int(until[0]) - (now or datetime.now(UTC)).timestamp()
    return min(max(left, 1.0), LONGEST_THROTTLE)


def trouble_in(response: Response) -> Trouble | None:
    """Return what an answer of 200 says about Kraken's health; a plain no is none."""
    if response.body.startswith(FINE):
        return None
    try:
        errors = told(response.json()["error"])
    except (ValueError, LookupError, TypeError):
        return None  # makes no sense, which whoever reads it will say
    return _trouble(errors[0]) if errors else None


def _trouble(text: str) -> Trouble | None:
    if text.startswith("EGeneral:Temporary lockout"):
        # It is about the address, so everybody who asks from here must wait.
        return Trouble(MARGIN * LOCKOUT, category="lockout")
    if text.startswith(LIMITS):
        return Trouble(MARGIN * hold_of(text), mine=True, category="rate")
    if text.startswith(("EService:Unavailable", "EService:Busy", "EDatabase:")):
        return Trouble()
    if text.startswith(("EGeneral:Internal error", "EService:Deadline elapsed")):
        return Trouble()
    return None


def exact(value: Any) -> Decimal:
    """Return a number that is written as text, or as a number of JSON."""
    if isinstance(value, str) and PLAIN_DECIMAL.fullmatch(value):
        value = Decimal(value)
    if not isinstance(value, Decimal) and type(value) is not int:
        raise TypeError(f"{value!r:.60} is not a number")
    number = Decimal(value)
    if number and not -DIGITS < number.adjusted() < DIGITS:
        raise MoneyError("No amount is that large or that small")
    return number


def text_of(row: Mapping[str, Any], name: str) -> str:
    """Return a field that must be a text and not an empty one."""
    value = row[name]
    if not isinstance(value, str) or not value:
        raise TypeError(f"{name} is {value!r:.60}")
    return value


def rows_of(value: Any) -> Mapping[str, Mapping[str, Any]]:
    """Return objects by their ids."""
    if not isinstance(value, dict):
        raise TypeError(f"{value!r:.60} is no object")
    if not all(isinstance(row, dict) for row in value.values()):
        raise TypeError("A row is no object")
    return value


def positive_number(value: Any) -> Decimal:
    """Return a number above zero; raises ValueError."""
    if (number := exact(value)) <= 0:
        raise ValueError(f"{value!r:.60} is not above zero")
    return number
