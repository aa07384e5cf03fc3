"""What the database could not do just now, done again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import stamina
from django.db import OperationalError

T = TypeVar("T")


def steadily(work: Callable[[], T]) -> T:
    """Return what `work` returns, tried five times in ten seconds; raises OperationalError.

    To be called outside of a transaction: the server went away, or had to choose who
    waited in a circle. What succeeds at once, as nearly all does, sets up no retrying.
    """
    try:
        return work()
    except OperationalError:
        return stamina.retry(on=OperationalError, attempts=4, timeout=10)(work)()
