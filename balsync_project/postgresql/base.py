"""PostgreSQL as Django speaks to it, only that no transaction outlives its block.

Where anything but an answer of the database breaks a COMMIT off, such as a time limit that
strikes there, Django goes on with the transaction open and raises that it is. Who handles
errors of the database handles this one too; every block that follows takes itself for a
part of that transaction, and is never committed: money could move whose intent is lost.
"""

from __future__ import annotations

from collections.abc import Callable

from django.db import Error
from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    """Ends the connection, and with it the transaction, that could not be ended itself."""

    def _commit(self) -> None:
        self._end(super()._commit)

    def _rollback(self) -> None:
        self._end(super()._rollback)

    def _end(self, transaction: Callable[[], None]) -> None:
        try:
            transaction()
        except Error:
            raise  # Django rolls back, or closes
        except BaseException:
            self.close()
            raise
