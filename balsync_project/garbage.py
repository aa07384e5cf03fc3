"""Rare collections of garbage: what is loaded once and for all is not looked at again."""

from __future__ import annotations

import gc


def collect_rarely() -> None:
    """Leave all that is loaded by now out of every collection of this process.

    A collection that goes through the whole program takes tens of milliseconds, which
    some request or some transfer would wait for.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
