"""A chain of blocks, most of them empty, that costs nothing while nobody looks.

Blocks come every two seconds of the clock, and one more with each transaction. Only
where that begins anew, with a transaction or a reorganisation, is anything written down.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any, Final

PACE: Final = 2000  # milliseconds between blocks
GENESIS: Final = 1_590_824_836_000  # milliseconds since 1970, as Polygon's own


@dataclass(frozen=True, slots=True)
class Stretch:
    """Blocks that follow each other at the usual pace. Times are in milliseconds."""

    number: int  # of the first of them
    due: int  # when that one was
    floor: int  # none is older than the block before them
    born: int  # from when on anybody could know of them
    seed: str  # what their hashes are made of

    def at(self, moment: int) -> int:
        """Return the number of the newest block at `moment`."""
        return self.number + max(0, moment - self.due) // PACE

    def moment(self, number: int) -> int:
        return max(self.floor, self.due + PACE * (number - self.number))


FIRST: Final = Stretch(0, GENESIS, 0, 0, "genesis")


class Chain:
    """The blocks as they are now; those that a reorganisation threw away are not."""

    def __init__(self) -> None:
        self.stretches = [FIRST]
        self.count = 0  # stretches that were ever added

    def add(self, stretch: Stretch) -> None:
        """Go on with `stretch`, in place of what stood there."""
        while self.stretches[-1].number >= stretch.number:
            self.stretches.pop()
        self.stretches.append(stretch)
        self.count += 1

    def height(self, moment: int) -> int:
        """Return the number of the newest block that was known at `moment`."""
        born = [stretch.born for stretch in self.stretches[-1:]]
        if moment >= born[0]:
            return self.stretches[-1].at(moment)
        index = bisect_right(self.stretches, moment, key=lambda s: s.born)
        newest = self.stretches[index - 1]
        return min(newest.at(moment), self.stretches[index].number - 1)

    def top(self, now: int) -> int:
        """Return the newest block: a clock that is set back makes no chain shorter."""
        return self.stretches[-1].at(now)

    def moment(self, number: int) -> int:
        """Return when a block was made, in milliseconds."""
        return self._of(number).moment(number)

    def hash(self, number: int, salt: str = "") -> str:
        """Return a block's hash; with a `salt`, what somebody who lies says it is."""
        if number < 0:
            return "0x" + "00" * 32
        seed = f"{self._of(number).seed}/{number}/{salt}"
        return "0x" + sha256(seed.encode()).hexdigest()

    def mined(self, now: int) -> Stretch:
        """Return one more block, of this moment, yet to be added."""
        number = self.top(now) + 1
        floor = self.moment(number - 1)
        return Stretch(number, max(now, floor), floor, now, f"{self.count}")

    def reorganised(self, depth: int, now: int) -> Stretch:
        """Return as many other blocks for the last `depth`, yet to be added."""
        first = self.top(now) - depth + 1
        if depth < 1 or first < 1:
            raise ValueError(f"No chain can be reorganised {depth} blocks deep")
        due = now - PACE * (depth - 1)
        return Stretch(first, due, self.moment(first - 1), now, f"{self.count}")

    def _of(self, number: int) -> Stretch:
        index = bisect_right(self.stretches, number, key=lambda s: s.number)
        return self.stretches[index - 1]


def record(stretch: Stretch) -> dict[str, Any]:
    return asdict(stretch)
