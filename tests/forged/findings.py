"""What was sent, how it ended, and what was wrong with that."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from .callers import Caller
from .calls import Answer, Call

# What the institution's scheme says of a call, and where it says nothing against it.
FORGED, VOUCHED = "forged", "vouched for"
BELIEVED = f"{FORGED} and taken"


@dataclass
class Found:
    """How many were sent of each label and kind, how that ended, and what was wrong."""

    ends: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)  # answers of 500, by label
    statuses: Counter[int] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)  # delivered 50 times at once
    wrong: list[str] = field(default_factory=list)

    def count(self, *, label: str = "", kind: str = "", end: str = "") -> int:
        """Return how many were of a label and a kind, and ended as `end` begins."""
        return sum(
            count
            for (of, what, how), count in self.ends.items()
            if label in ("", of) and kind in ("", what) and how.startswith(end)
        )

    def labels(self) -> list[str]:
        return sorted(self.events)

    def kinds(self) -> list[str]:
        return sorted({kind for _, kind, _ in self.ends})


@dataclass(frozen=True)
class Sent:
    """A call that was changed, or true, and what came of it."""

    call: Call
    answer: Answer
    owner: Caller | None  # of the address
    forged: bool  # by the institution's own scheme
    true: bool

    @property
    def end(self) -> str:
        taken = "taken" if self.answer.status == 200 else "refused"
        return f"{FORGED if self.forged else VOUCHED} and {taken}"
