"""Parameters as strictly as the exchange reads them. Source: errors.md, "11xx"."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from providers.sandbox.wire import Asked, once

from . import errors

DIGITS: Final = re.compile(r"[0-9]{1,19}", re.ASCII)
WINDOW: Final = re.compile(r"[0-9]{1,5}(\.[0-9]{1,3})?", re.ASCII)
LONGEST_WINDOW: Final = 60_000  # milliseconds
USUAL_WINDOW: Final = Decimal(5_000)
AUTHORITY: Final = frozenset({"timestamp", "recvWindow", "signature"})


class Params:
    """What was sent, and which of it was read: the rest is an error."""

    def __init__(self, sent: Mapping[str, str]) -> None:
        self.sent = sent
        self._read = set(AUTHORITY)

    @classmethod
    def of(cls, asked: Asked) -> Params:
        """Return query and body together; the query goes before the body."""
        try:
            form = once(asked.body.decode()) if asked.body else {}
            return cls({**form, **asked.query})
        except ValueError as error:
            text = "Duplicate values for a parameter detected."
            raise errors.no(-1101, text) from error

    def text(self, name: str) -> str:
        """Return a parameter that must be there."""
        self._read.add(name)
        if not (found := self.sent.get(name)):
            raise errors.malformed(name)
        return found

    def number(self, name: str) -> int | None:
        """Return a whole number, or None where it was not sent."""
        self._read.add(name)
        if (found := self.sent.get(name)) is None:
            return None
        if not DIGITS.fullmatch(found):
            text = f"Illegal characters found in parameter '{name}'"
            raise errors.no(-1100, f"{text}; legal range is '^[0-9]{{1,20}}$'.")
        return int(found)

    def limit(self, usual: int = 500, most: int = 1000) -> int:
        found = self.number("limit")
        if found is None:
            return usual
        if not 1 <= found <= most:
            raise errors.invalid("limit")
        return found

    def flag(self, name: str) -> bool:
        self._read.add(name)
        found = self.sent.get(name, "false")
        if found not in ("true", "false"):
            raise errors.invalid(name)
        return found == "true"

    def optional(self, name: str) -> str | None:
        self._read.add(name)
        if self.sent.get(name) == "":
            raise errors.no(-1105, f"Parameter '{name}' was empty.")
        return self.sent.get(name)

    def names(self, name: str) -> list[str] | None:
        """Return a JSON list of texts."""
        if (told := self.optional(name)) is None:
            return None
        try:
            found = json.loads(told)
        except ValueError as error:
            raise errors.invalid(name) from error
        if not isinstance(found, list) or not all(isinstance(n, str) for n in found):
            raise errors.invalid(name)
        if len(set(found)) < len(found):
            raise errors.no(-1151, "Symbol is present multiple times in the list.")
        return found

    def close(self) -> None:
        """Refuse what nobody read."""
        if unread := set(self.sent) - self._read:
            read, sent = len(self.sent) - len(unread), len(self.sent)
            text = f"read '{read}' parameter(s) but was sent '{sent}'."
            raise errors.no(-1104, f"Not all sent parameters were read; {text}")


def window_of(sent: Mapping[str, str]) -> Decimal:
    """Return for how many milliseconds a request is good."""
    told = sent.get("recvWindow")
    if told is None:
        return USUAL_WINDOW
    if not WINDOW.fullmatch(told):
        raise errors.no(-1100, "Illegal characters found in parameter 'recvWindow'.")
    if Decimal(told) > LONGEST_WINDOW:
        text = "'recvWindow' contains unexpected value. Cannot be greater than 60000."
        raise errors.no(-1102, text)
    return Decimal(told)
