"""PostgreSQL as Django speaks to it, only that no transaction outlives its block.

Where anything but an answer of the database breaks a COMMIT off, such as a time limit that
strikes there, Django goes on with the transaction open and raises that it is. Who handles
errors of the database handles this one too; every block that follows takes itself for a
part of that transaction, and is never committed: money could move whose intent is lost.

What struck is raised, unless the database is away just then: then that is.
"""

from __future__ import annotations

from collections.abc import Callable

from django.db import DatabaseError
from django.db.backends.postgresql import base


class DatabaseWrapper(base.DatabaseWrapper):
    """Ends the connection, and with it the transaction, that could not be ended itself."""

    def _commit(self) -> None:
        self._or_close(super()._commit)

    def _rollback(self) -> None:
        self._or_close(super()._rollback)

    def _or_close(self, end: Callable[[], None]) -> None:
        try:
            end()
        except DatabaseError:
            raise  # Django rolls back, or closes
        except BaseException:
            self.close()
            raise

    def _set_autocommit(self, autocommit: bool) -> None:
        try:
            super()._set_autocommit(autocommit)
        except BaseException:  # a transaction is open that should not be
            self.close()
            raise
