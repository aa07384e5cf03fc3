"""How far the reading of one connection's orders, trades and positions has come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Final

# In this order; each may be begun again after an interruption without harm.
OPEN, HISTORIES, LOOK_UPS, WORKING_OUT, DONE = (
    "open",
    "histories",
    "look_ups",
    "working_out",
    "done",
)
STAGES: Final = (OPEN, HISTORIES, LOOK_UPS, WORKING_OUT, DONE)
LABELS: Final = {
    OPEN: "asking for open orders and positions",
    HISTORIES: "reading histories",
    LOOK_UPS: "looking up orders that are missing",
    WORKING_OUT: "working out gains",
    DONE: "done",
}


@dataclass(slots=True)
class Progress:
    """What a sync run remembers of it; in JSON, times are texts."""

    balances: str = "ok"  # how the reading of the balances ended
    stage: str = OPEN
    began: str = ""  # when open orders and positions were asked for
    books: int = 0  # histories to be read, of orders and trades
    books_read: int = 0
    pages: int = 0
    orders: int = 0  # rows told, in all answers
    trades: int = 0
    positions: int = 0
    live_before: int = 0  # orders that were live, and positions open, before
    open_before: int = 0
    look_ups: int = 0
    looked_up: int = 0
    found: int = 0  # rows that were new
    changed: int = 0  # corrections
    told: list[str] = field(default_factory=list)  # what was asked; "no …": in vain
    names: list[str] = field(default_factory=list)  # of the books to be read
    skipped: list[str] = field(default_factory=list)  # what is not asked again
    doubted: list[str] = field(default_factory=list)  # orders whose look-up failed
    failures: dict[str, int] = field(default_factory=dict)  # in a row, by what failed
    problems: list[str] = field(default_factory=list)  # what could not be read
    error_code: str = ""
    waits_until: str = ""  # the provider, or its budget, asked to wait

    @classmethod
    def read(cls, told: Mapping[str, Any] | None) -> Progress:
        """Return what was written; what an older release wrote may lack fields."""
        names = cls.__dataclass_fields__
        return cls(**{k: v for k, v in (told or {}).items() if k in names})

    def written(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def part(self) -> int:
        """Return how much is done, in percent: histories are nearly all of it."""
        if self.stage == DONE:
            return 100
        if self.stage == OPEN:
            return 0
        read = self.books_read * 80 // self.books if self.books else 80
        if self.stage == HISTORIES:
            return 5 + read
        looked = self.looked_up * 10 // self.look_ups if self.look_ups else 0
        return 85 + (looked if self.stage == LOOK_UPS else 10)

    @property
    def text(self) -> str:
        """Return in words what is being done, and what has come of it."""
        seen = f"{self.orders} orders, {self.trades} trades, {self.positions} positions"
        now = LABELS[self.stage]
        if self.stage == HISTORIES:
            now += f" ({self.books_read} of {self.books})"
        if self.stage == LOOK_UPS:
            now += f" ({self.looked_up} of {self.look_ups})"
        return f"{now}: {seen} told, {self.found} new, {self.changed} corrections"

    @property
    def skipped_books(self) -> bool:
        """Say whether any history was not read to its end."""
        return self.books_read < self.books or any(
            name.startswith(("orders of ", "trades of ")) for name in self.skipped
        )

    @property
    def began_at(self) -> datetime:
        return datetime.fromisoformat(self.began)

    def trouble(self, text: str, code: str) -> None:
        """Note what could not be read; the rest goes on."""
        if len(self.problems) < 100:
            self.problems.append(text[:300])
        self.error_code = self.error_code or code
