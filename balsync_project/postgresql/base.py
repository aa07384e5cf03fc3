"""PostgreSQL as Django speaks to it, only that no transaction outlives its block.

Where anything but an answer of the database breaks a COMMIT off, such as a time limit that
strikes there, Django goes on with the transaction open and raises that it is. Who handles
errors of the database handles this one too; every block that follows takes itself for a
part of that transaction, and is never committed: money could move whose intent is lost.

What struck is raised, unless the database is away just then: then that is.
"""

from __future__ import annotations

import sys

from django.db.backends.postgresql import base
from psycopg.pq import TransactionStatus


class DatabaseWrapper(base.DatabaseWrapper):
    """Ends with its connection a transaction that something has kept from ending."""

    def _set_autocommit(self, autocommit: bool) -> None:
        # With this Django leaves a block, whatever its end has come to.
        if autocommit and sys.exc_info()[0] and not self._is_idle():
            self.close()
            self.ensure_connection()
        super()._set_autocommit(autocommit)

    def _is_idle(self) -> bool:
        return self.connection.pgconn.transaction_status == TransactionStatus.IDLE
