"""Rare collections of garbage: what is loaded once and for all is not looked at again."""

from __future__ import annotations

import gc

IN_BULK = 50_000
SOMEBODY_WAITS = 1_000


def collect_rarely(new: int) -> None:
    """Leave all that is loaded by now out of every collection of this process.

    A collection that goes through the whole program takes tens of milliseconds, which
    some request or some transfer would wait for. So does one of 50,000 objects: where
    somebody waits for each answer, fewer `new` ones are looked at more often; where
    work is done in bulk, looking seldom costs least.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(new, 20, 50)
