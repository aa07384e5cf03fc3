"""Whether something that was planned goes wrong now: how often, how likely, how soon."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar


@dataclass(slots=True)
class Planned:
    """One thing that goes wrong, `times` times (None: for ever), where it matches."""

    action: str
    path: str = ""  # how the path begins
    times: int | None = 1
    probability: float = 1.0
    seed: int = 0
    seconds: float = 0.0
    value: Any = None
    skip: int = 0  # how many that match go well first
    _chance: random.Random = field(init=False, repr=False)

    def prepare(self, known: Collection[str]) -> None:
        """Get ready; raises ValueError for an action that is not among those known."""
        if self.action not in known:
            raise ValueError(f"No fault is called {self.action!r}: {sorted(known)}")
        self._chance = random.Random(self.seed)

    def due(self) -> bool:
        """Say whether what matches goes wrong now, and use up one of the times."""
        if self.times == 0 or self._chance.random() >= self.probability:
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True


Kind = TypeVar("Kind", bound=Planned)


class Plans(Generic[Kind]):
    """The faults of one institution, tried in the order they were planned."""

    def __init__(self) -> None:
        self.faults: list[Kind] = []
        self.struck = Counter[str]()

    def add(self, fault: Kind) -> None:
        self.faults.append(fault)

    def clear(self) -> None:
        self.faults.clear()

    def first(self, strikes: Callable[[Kind], bool]) -> Kind | None:
        """Return the first fault that strikes, and forget it if it was the last time."""
        struck = next((fault for fault in self.faults if strikes(fault)), None)
        if struck is not None:
            self.struck[struck.action] += 1
            if struck.times == 0:
                self.faults.remove(struck)
        return struck
