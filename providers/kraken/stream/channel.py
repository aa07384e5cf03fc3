"""One subscription, and whether every frame of it was heard."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Any, Final

from providers.streaming import Say

PATIENCE: Final = timedelta(seconds=5)  # for a snapshot that was asked for
# A lost frame shows when the next one comes, or when everything is compared again.
COMPARED_EVERY: Final = timedelta(seconds=30)


class Heard(Enum):
    """What a frame of a channel is."""

    SNAPSHOT = auto()
    UPDATE = auto()  # the one that follows the last
    OLD = auto()  # heard before, or of a subscription that was given up
    GAP = auto()  # something before it was not heard


@dataclass
class Channel:
    """One channel: `whole` as long as no frame of it is known to be missing."""

    name: str
    wishes: Mapping[str, Any] = field(default_factory=dict)
    whole: bool = False
    sequence: int | None = None  # of the last frame; None while a snapshot is awaited
    asked_at: datetime | None = None

    def subscribe(self, token: str, now: datetime) -> list[Say]:
        """Ask for a snapshot and what follows; a subscription there is ends first."""
        again = self.asked_at is not None
        self.sequence, self.asked_at = None, now
        about = {"channel": self.name, "token": token}
        methods = ["unsubscribe", "subscribe"] if again else ["subscribe"]
        wishes = {"unsubscribe": about, "subscribe": {**about, **self.wishes}}
        return [Say(json.dumps({"method": m, "params": wishes[m]})) for m in methods]

    def take(self, frame: Mapping[str, Any]) -> Heard:
        """Say what a frame is, by its sequence; raises what makes no sense."""
        number = frame["sequence"]
        if type(number) is not int:
            raise TypeError(f"{number!r:.60} is no sequence")
        if frame["type"] == "snapshot":
            self.sequence, self.whole = number, True
            return Heard.SNAPSHOT
        if frame["type"] != "update":
            raise ValueError(f"{frame['type']!r:.60} is no type")
        if self.sequence is None or number <= self.sequence:
            return Heard.OLD
        if number > self.sequence + 1:
            self.sequence, self.whole = None, False
            return Heard.GAP
        self.sequence = number
        return Heard.UPDATE

    def overdue(self, now: datetime) -> bool:
        """Say whether a snapshot has been awaited for too long."""
        asked = self.asked_at
        return self.sequence is None and asked is not None and now - asked > PATIENCE

    def stale(self, now: datetime) -> bool:
        """Say whether it is time to compare with a snapshot again."""
        asked = self.asked_at
        return (
            self.sequence is not None
            and asked is not None
            and now - asked > COMPARED_EVERY
        )
