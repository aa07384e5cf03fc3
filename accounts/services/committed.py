"""Whether all that was written is committed by now."""

from __future__ import annotations

from django.db import DEFAULT_DB_ALIAS, connections
from psycopg.pq import TransactionStatus

OPEN = {TransactionStatus.INTRANS, TransactionStatus.ACTIVE, TransactionStatus.INERROR}


class NotCommitted(RuntimeError):
    """A transaction is open: what was written in it may never have been."""


def be_committed() -> None:
    """Raise NotCommitted while a transaction is open, but for the one around a test.

    It may be open where no block is: an exception may have kept it from ending.
    """
    mine = connections[DEFAULT_DB_ALIAS]
    raw, blocks = mine.connection, mine.atomic_blocks
    if blocks and blocks[-1]._from_testcase:
        return
    left = raw and (not mine.autocommit or raw.info.transaction_status in OPEN)
    if mine.in_atomic_block or left:
        raise NotCommitted("A transaction is open, and nothing may be sent from within")
