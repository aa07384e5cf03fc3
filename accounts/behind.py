"""What a request leaves to be done behind it: who called is not kept waiting for that.

Whatever is lost here is found by the beat: the row is the record.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import BoundedSemaphore
from typing import Any

import structlog
from django.db import DatabaseError, InterfaceError, connection, transaction
from redis.exceptions import RedisError

log = structlog.get_logger(__name__)
THREADS = 2
MOST = 500  # waiting at once; what comes on top is left to the beat

_pool = ThreadPoolExecutor(THREADS, thread_name_prefix="behind")
_room = BoundedSemaphore(MOST)
_waiting: set[tuple[Callable[..., object], tuple[Any, ...]]] = set()


def leave(work: Callable[..., object], *args: Any) -> None:
    """Do `work` in a thread of its own once the transaction is committed.

    Once is enough for all who leave the same before it begins. `args` are hashable.
    """
    transaction.on_commit(partial(_submit, work, args))


def _submit(work: Callable[..., object], args: tuple[Any, ...]) -> None:
    if (work, args) in _waiting:
        return
    if not _room.acquire(blocking=False):
        log.warning("too_much_behind", work=work.__name__)
        return
    _waiting.add((work, args))
    _pool.submit(_do, work, args)


def _do(work: Callable[..., object], args: tuple[Any, ...]) -> None:
    _waiting.discard((work, args))  # what is left from now on may come too late for it
    try:
        work(*args)
    except (DatabaseError, InterfaceError, RedisError, OSError) as error:
        log.warning("left_to_the_beat", work=work.__name__, error=str(error)[:300])
    finally:
        _room.release()
        connection.close()


def _after_fork() -> None:
    # The threads stayed with the parent, and so did what waits for them.
    global _pool, _room
    _pool = ThreadPoolExecutor(THREADS, thread_name_prefix="behind")
    _room = BoundedSemaphore(MOST)
    _waiting.clear()


os.register_at_fork(after_in_child=_after_fork)
