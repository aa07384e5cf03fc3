"""Counts the weight of each address. Source: rest-api.md, "LIMITS"."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final

from providers.sandbox.wire import Answer

from . import errors

MINUTE: Final = 60
PATIENCE: Final = 10  # requests after a 429, in the same minute, before a ban (?)
FIRST_BAN: Final = 120.0  # seconds; it doubles each time
LONGEST_BAN: Final = 3 * 86_400.0


@dataclass(slots=True)
class Account:
    """What one address has spent in the minute that began at `since`."""

    since: int = 0
    used: int = 0
    ignored: int = 0
    bans: int = 0
    banned_until: float = 0.0


class Meter:
    """The limits of one exchange, for every address that asks it."""

    def __init__(self) -> None:
        self.accounts: dict[Hashable, Account] = {}

    def spend(
        self, who: Hashable, weight: int, limit: int, now: float
    ) -> tuple[Answer | None, int]:
        """Return why a request is turned away, if it is, and the weight spent by now."""
        spent = self.accounts.setdefault(who, Account())
        minute = int(now) // MINUTE
        if minute != spent.since:
            spent.since, spent.used, spent.ignored = minute, 0, 0
        spent.used += weight
        if now < spent.banned_until:
            return _banned(spent, now), spent.used
        if spent.used <= limit:
            return None, spent.used
        spent.ignored += 1
        if spent.ignored > PATIENCE:
            length = min(LONGEST_BAN, FIRST_BAN * 2**spent.bans)
            spent.bans, spent.banned_until = spent.bans + 1, now + length
            return _banned(spent, now), spent.used
        return _too_much(limit, (minute + 1) * MINUTE - now), spent.used


def _banned(spent: Account, now: float) -> Answer:
    until = f"{spent.banned_until * 1000:.0f}"
    text = f"Way too much request weight used; IP banned until {until}."
    return _turned_away(418, text, spent.banned_until - now)


def _too_much(limit: int, left: float) -> Answer:
    text = f"current limit is {limit} request weight per 1 MINUTE."
    return _turned_away(429, f"Too much request weight used; {text}", left)


def _turned_away(status: int, text: str, wait: float) -> Answer:
    advice = "Please use WebSocket Streams for live updates to avoid polling the API."
    seconds = {"Retry-After": f"{int(wait) + 1}"}
    return Answer.of(errors.body(-1003, f"{text} {advice}"), status, seconds)
