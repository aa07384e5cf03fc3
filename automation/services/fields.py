"""The fields of a JSON object, read strictly: a mistake is noted, never guessed at."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from accounts.moneyjson import money_asset, parse_money
from accounts.text import clean
from automation.rules import Problem, ShareError, parse_share
from providers.money import MoneyError

# Stands where no asset is known, so that what follows can still be read and judged.
# ISO 4217 keeps XXX for "no currency involved": no account ever holds it.
NO_ASSET = "XXX/2"
YEARS = range(1900, 3000)  # in every zone, and in the database, there is such a moment
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


class Reader:
    """Reads fields of one object and notes what is wrong with them."""

    def __init__(self, data: Any, at: str, problems: list[Problem]) -> None:
        self.at, self.problems = at, problems
        self.data: Mapping[str, Any] = data if isinstance(data, Mapping) else {}
        if not isinstance(data, Mapping):
            self.note("", "not_an_object", "An object is expected here")

    def note(self, name: str, code: str, text: str) -> None:
        path = ".".join(part for part in (self.at, name) if part)
        self.problems.append(Problem(path or "rule", code, text))

    def only(self, known: set[str]) -> None:
        """Note every field that nobody knows."""
        for name in sorted(map(str, self.data.keys() - known)):
            self.note(name, "unknown_field", f"There is no field {name!r}")

    def text(self, name: str, default: str = "", *, longest: int = 200) -> str:
        value = self.data.get(name)
        if value is None:
            return default
        if not isinstance(value, str) or clean(value, longest) != value:
            self.note(name, "invalid", f"A text of at most {longest} characters")
            return default
        return value

    def flag(self, name: str, default: bool) -> bool:
        value = self.data.get(name, default)
        if type(value) is not bool:
            self.note(name, "invalid", "true or false is expected")
            return default
        return value

    def number(self, name: str, default: int | None, low: int, high: int) -> int | None:
        value = self.data.get(name, default)
        if value is None and default is None:
            return None
        if type(value) is not int or not low <= value <= high:
            self.note(name, "out_of_range", f"A whole number from {low} to {high}")
            return default
        return value

    def money(self, name: str, asset: str) -> int | None:
        value = self.data.get(name)
        if value is None:
            return None
        try:
            if asset and str(money_asset(value)) != asset:
                self.note(name, "wrong_asset", f"This rule moves {asset}")
                return None
            return parse_money(value)
        except MoneyError as error:
            self.note(name, "invalid_amount", str(error))
            return None

    def share(self, name: str):
        value = self.data.get(name)
        if value is None:
            return None
        try:
            return parse_share(value)
        except ShareError as error:
            self.note(name, "invalid_share", str(error))
            return None

    def moment(self, name: str) -> datetime | None:
        value = self.data.get(name)
        if value is None:
            return None
        try:
            found = datetime.fromisoformat(value)
            if found.tzinfo is None:
                self.note(name, "naive_time", "A moment needs a time zone")
                return None
            found = found.astimezone(UTC)
            if found.year in YEARS:
                return found
        except (TypeError, ValueError, OverflowError):
            pass
        self.note(name, "invalid", "A moment such as 2026-01-31T09:00:00Z")
        return None

    def day(self, name: str) -> date | None:
        value = self.data.get(name)
        if value is None:
            return None
        if isinstance(value, str) and DAY.fullmatch(value):
            try:
                return date.fromisoformat(value)
            except ValueError:
                pass
        self.note(name, "invalid", "A date such as 2026-01-31")
        return None

    def label(self, name: str) -> str:
        """Return a day or an nth as text; JSON may say 31 or "31"."""
        value = self.data.get(name)
        if type(value) is int and 0 <= value < 1000:
            return str(value)
        return self.text(name, longest=4)

    def rows(self, name: str) -> list[Any]:
        value = self.data.get(name, [])
        if not isinstance(value, list) or len(value) > 100:
            self.note(name, "invalid", "A list of at most 100 objects is expected")
            return []
        return value
