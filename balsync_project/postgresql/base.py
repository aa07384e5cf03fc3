"""PostgreSQL as Django speaks to it, only that no transaction outlives its block.

Where anything but an answer of the database breaks a COMMIT off, such as a time limit that
strikes there, Django goes on with the transaction open and raises that it is. Who handles
errors of the database handles this one too; every block that follows takes itself for a
part of that transaction, and is never committed: money could move whose intent is lost.

What struck is raised, unless the database is away just then: then that is.

Besides, a connection that was good some seconds ago is taken for good while nothing is heard
of it. Django asks at the beginning of each request and each task whether the database is
still there; that takes as long as a small query.
"""

from __future__ import annotations

import select
import sys
from time import monotonic

from django.db.backends.postgresql import base
from psycopg.pq import ConnStatus, PGconn, TransactionStatus

TRUSTED = 20.0  # seconds: what stands in between may drop what is silent for minutes


class DatabaseWrapper(base.DatabaseWrapper):
    """Ends with its connection a transaction that something has kept from ending."""

    _trusted_until = 0.0

    def is_usable(self) -> bool:
        # A server that goes away, or ends a connection, says so.
        if self._is_trusted() and quiet(self.connection.pgconn):
            return True
        usable = super().is_usable()
        self._trusted_until = monotonic() + TRUSTED if usable else 0.0
        return usable

    def _is_trusted(self) -> bool:
        recent = monotonic() < self._trusted_until
        return recent and self.connection is not None and not self.errors_occurred

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
