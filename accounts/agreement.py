"""Whether what is said of one account in several places is the same. PURE."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

AGREES, DIFFERS, UNKNOWN, APART = "agrees", "differs", "unknown", "apart"
AMOUNTS = ("total", "available", "held")
PLACES = ("cache", "snapshot", "provider")


@dataclass(frozen=True, slots=True)
class Figures:
    """What one place says, in minor units; `source` is where it has that from."""

    total: int
    available: int
    held: int
    as_of: datetime | None = None
    source: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """What a place says, or why it says nothing: `lost` where it should have."""

    figures: Figures | None = None
    why: str = ""
    lost: bool = False


@dataclass(frozen=True, slots=True)
class Comparison:
    """How a place stands to the row; `off` is by how much each amount is more there."""

    state: str
    said: Said
    off: dict[str, int] = field(default_factory=dict)
    why: str = ""


def compare(row: Figures | None, said: Said) -> Comparison:
    """Return whether a place says what the row says. What is not known agrees with nothing."""
    if said.figures is None:
        return Comparison(UNKNOWN if said.lost else APART, said, why=said.why)
    if row is None:
        return Comparison(UNKNOWN, said, why="the row was never read")
    there = said.figures
    pairs = {name: (getattr(row, name), getattr(there, name)) for name in AMOUNTS}
    off = {name: new - old for name, (old, new) in pairs.items() if new != old}
    return Comparison(DIFFERS if off else AGREES, said, off)


def of_snapshot(row: Figures | None, newest: Figures | None, computed: str) -> Said:
    """Return what history says; what was `computed`, not read, has no snapshot yet."""
    if newest is None:
        return Said(why="no snapshot", lost=row is not None and row.source != computed)
    if row is not None and row.source == computed:
        return Said(why="computed after a move")
    return Said(newest)


@dataclass(frozen=True, slots=True)
class Account:
    """All that is said of one account."""

    id: str
    name: str
    asset: str
    row: Figures | None
    places: dict[str, Comparison]

    @property
    def state(self) -> str:
        """Return the worst of what was found."""
        states = {place.state for place in self.places.values()}
        if self.row is None:
            states.add(UNKNOWN)
        worst = (state for state in (DIFFERS, UNKNOWN, AGREES) if state in states)
        return next(worst, APART)


def judge(
    about: tuple[str, str, str], row: Figures | None, said: Callable[[str], Said]
) -> Account:
    """Return the account with each place compared to its row."""
    places = {name: compare(row, said(name)) for name in PLACES}
    return Account(*about, row, places)
