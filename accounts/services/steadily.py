"""What the database could not do just now, done again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import stamina
from django.db import DEFAULT_DB_ALIAS, OperationalError, connections

T = TypeVar("T")


def steadily(work: Callable[[], T]) -> T:
    """Return what `work` returns, tried five times in ten seconds; raises OperationalError.

    To be called outside of a transaction: the server went away, or had to choose who
    waited in a circle. What succeeds at once, as nearly all does, sets up no retrying.
    """
    try:
        return work()
    except OperationalError:
        again = stamina.retry(on=OperationalError, attempts=4, timeout=10)
        return again(lambda: anew(work))()


def anew(work: Callable[[], T]) -> T:
    """Do `work` on a new connection if the last one has ended.

    What ends within a transaction ends its connection; a statement by itself does not.
    """
    connections[DEFAULT_DB_ALIAS].close_if_unusable_or_obsolete()
    return work()
