"""Which rows of a history an answer holds. Source: rest-api.md, "General API Information"."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from . import errors
from .holding import Row
from .params import Params

DAY: Final = 86_400_000  # milliseconds


@dataclass(frozen=True, slots=True)
class Stretch:
    """What is asked for: rows from an id on, or of a time, oldest or newest ones."""

    limit: int
    first: int | None = None
    start: int | None = None
    end: int | None = None

    @classmethod
    def of(cls, params: Params, first: str, longest: int) -> Stretch:
        """Read `first` (the name of the id), the times and the limit."""
        wanted = params.number(first)
        start, end = params.number("startTime"), params.number("endTime")
        if wanted is not None and (start is not None or end is not None):
            raise errors.unmatched()
        if start is not None and end is not None:
            if end < start:
                raise errors.invalid("endTime")
            if end - start > longest:
                hours = longest // (DAY // 24)
                text = f"More than {hours} hours between startTime and endTime."
                raise errors.no(-1127, text)
        return cls(params.limit(), wanted, start, end)

    def of_rows(self, rows: Iterable[Row]) -> Sequence[Row]:
        """Return the rows, in the order of time."""
        found = [row for row in rows if self._holds(row)]
        if self.first is not None or self.start is not None:
            return found[: self.limit]
        return found[-self.limit :]

    def _holds(self, row: Row) -> bool:
        if self.first is not None and row["id"] < self.first:
            return False
        if self.start is not None and row["time"] < self.start:
            return False
        return self.end is None or row["time"] <= self.end


def listed(rows: Iterable[Row], tell: Callable[[Row], Row]) -> list[Row]:
    return [tell(row) for row in rows]
