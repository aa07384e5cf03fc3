"""No transaction outlives its block, whatever breaks its end off."""

from __future__ import annotations

import signal
import threading
from unittest.mock import Mock

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.db import (
    DEFAULT_DB_ALIAS,
    InterfaceError,
    ProgrammingError,
    connection,
    connections,
    transaction,
)

from accounts.models import Workspace

pytestmark = pytest.mark.django_db(transaction=True)


def strike():
    raise SoftTimeLimitExceeded


def seen_by_others():
    """Return the names of the workspaces that another connection sees."""
    found = []

    def look():
        found.extend(Workspace.objects.values_list("name", flat=True))
        connections.close_all()

    other = threading.Thread(target=look)
    other.start()
    other.join()
    return found


def django_s():
    return connections[DEFAULT_DB_ALIAS]


def psycopg_s():
    return connection.connection


STRIKES = [
    ("commit", SoftTimeLimitExceeded),
    ("commit", InterfaceError),
    ("rollback", SoftTimeLimitExceeded),
]


@pytest.mark.parametrize("whose", [django_s, psycopg_s])
@pytest.mark.parametrize(("end", "by"), STRIKES)
def test_what_follows_a_block_that_was_not_ended_is_committed(
    monkeypatch, end, by, whose
):
    connection.ensure_connection()
    with monkeypatch.context() as patch:
        patch.setattr(whose(), end, Mock(side_effect=by))
        with pytest.raises(by), transaction.atomic():
            Workspace.objects.create(name="lost")
            if end == "rollback":
                raise ValueError

    with transaction.atomic():
        Workspace.objects.create(name="kept")
    assert seen_by_others() == ["kept"]
    Workspace.objects.create(name="as well")
    assert sorted(seen_by_others()) == ["as well", "kept"]


def test_nothing_is_given_up_where_nothing_has_struck():
    connection.set_autocommit(False)
    Workspace.objects.create(name="kept")

    with pytest.raises(ProgrammingError):
        connection.set_autocommit(True)
    connection.commit()
    connection.set_autocommit(True)
    assert seen_by_others() == ["kept"]


STALL = """
CREATE FUNCTION stall() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN PERFORM pg_sleep(1); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER stall AFTER INSERT ON accounts_workspace
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION stall();
"""


@pytest.fixture
def stalled():
    """Let a COMMIT take a second, and a time limit strike after a fifth of one."""
    with connection.cursor() as cursor:
        cursor.execute(STALL)
    before = signal.signal(signal.SIGALRM, lambda *_: strike())
    yield lambda: signal.setitimer(signal.ITIMER_REAL, 0.2)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)
    with connection.cursor() as cursor:
        cursor.execute("DROP FUNCTION IF EXISTS stall CASCADE")


def test_a_time_limit_may_strike_while_a_commit_is_waited_for(stalled):
    with pytest.raises(SoftTimeLimitExceeded), transaction.atomic():
        Workspace.objects.create(name="unclear")
        stalled()

    with connection.cursor() as cursor:
        cursor.execute("DROP FUNCTION stall CASCADE")
    with transaction.atomic():
        Workspace.objects.create(name="kept")
    assert "kept" in seen_by_others()


def test_what_waited_for_the_commit_is_forgotten(monkeypatch):
    done = []
    connection.ensure_connection()
    with monkeypatch.context() as patch:
        patch.setattr(connection.connection, "commit", strike)
        with pytest.raises(SoftTimeLimitExceeded), transaction.atomic():
            Workspace.objects.create(name="lost")
            transaction.on_commit(lambda: done.append("lost"))

    with transaction.atomic():
        transaction.on_commit(lambda: done.append("kept"))
    assert done == ["kept"]
