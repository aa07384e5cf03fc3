"""PostgreSQL as Django speaks to it, only that no transaction outlives its block.

Where anything but an answer of the database breaks a COMMIT off, such as a time limit that
strikes there, Django goes on with the transaction open and raises that it is. Who handles
errors of the database handles this one too; every block that follows takes itself for a
part of that transaction, and is never committed: money could move whose intent is lost.

What struck is raised, unless the database is away just then: then that is.

Besides, a connection is taken for good while nothing is heard of it. Django asks at the
beginning of each request and each task; that takes as long as a small query.
"""

from __future__ import annotations

import select
import sys

from django.db.backends.postgresql import base
from psycopg.pq import ConnStatus, PGconn, TransactionStatus


class DatabaseWrapper(base.DatabaseWrapper):
    """Ends with its connection a transaction that something has kept from ending."""

    def is_usable(self) -> bool:
        # A server that goes away, or ends a connection, says so: only then it is asked.
        raw = self.connection
        fine = raw is not None and not self.errors_occurred and quiet(raw.pgconn)
        return fine or super().is_usable()

    def _set_autocommit(self, autocommit: bool) -> None:
        # With this Django leaves a block, whatever its end has come to.
        if autocommit and sys.exc_info()[0] and not idle(self.connection.pgconn):
            self.close()
            self.ensure_connection()
        super()._set_autocommit(autocommit)


def idle(raw: PGconn) -> bool:
    """Say whether no transaction is open on a connection, and nothing under way."""
    return raw.transaction_status == TransactionStatus.IDLE


def quiet(raw: PGconn) -> bool:
    """Say whether a connection is idle, and nothing came that was not asked for."""
    if raw.status != ConnStatus.OK or not idle(raw):
        return False
    arrived = select.poll()
    arrived.register(raw.socket, select.POLLIN)
    return not arrived.poll(0)
