"""What a trigger says, and what it makes due."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


class TriggerError(ValueError):
    """This trigger has no occurrences as it is written."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)


@dataclass(frozen=True, slots=True)
class TriggerSpec:
    """One trigger of a rule; which fields count depends on `kind`."""

    kind: str
    expression: str = ""
    day: str = ""  # "1" to "31" or "last"
    weekday: int | None = None  # 1 = Monday to 7
    nth: str = ""  # "1" to "5" or "last"
    hour: int = 9
    minute: int = 0
    minutes: int | None = None
    anchor: datetime | None = None  # by default the moment the rule was made
    business_day: str = "none"
    calendar: str = ""
    start_day: int | None = None
    end_day: int | None = None
    min_amount: int | None = None
    max_amount: int | None = None
    pattern: str = ""
    category: str = ""
    merchant: str = ""
    look_back_days: int = 3
    cooldown_days: int = 7
    account: str = ""
    above: int | None = None
    below: int | None = None
    rearm: int | None = None
    rule: str = ""
    min_moved: int | None = None


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One moment at which a rule is due; no two share a key."""

    key: str
    at: datetime  # UTC
    reason: str
    amount: int | None = None  # of the transaction it is about; money out is negative
    happened: datetime | None = None  # when that transaction was made
