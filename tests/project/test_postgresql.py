"""No transaction outlives its block, whatever breaks its end off."""

from __future__ import annotations

import signal
import threading

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.db import (
    InterfaceError,
    ProgrammingError,
    connection,
    connections,
    transaction,
)

from accounts.models import Workspace

pytestmark = pytest.mark.django_db(transaction=True)


def strike(error=SoftTimeLimitExceeded):
    raise error


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


def broken_off(monkeypatch, end, *, fails=False, by=SoftTimeLimitExceeded):
    """Leave a block whose COMMIT or ROLLBACK something strikes."""
    connection.ensure_connection()
    with monkeypatch.context() as patch:
        patch.setattr(connection.connection, end, lambda: strike(by))
        with pytest.raises(by), transaction.atomic():
            Workspace.objects.create(name="lost")
            if fails:
                raise ValueError


@pytest.mark.parametrize(("end", "fails"), [("commit", False), ("rollback", True)])
def test_what_follows_a_block_that_was_not_ended_is_committed(monkeypatch, end, fails):
    broken_off(monkeypatch, end, fails=fails)

    with transaction.atomic():
        Workspace.objects.create(name="kept")
    assert seen_by_others() == ["kept"]
    Workspace.objects.create(name="as well")
    assert sorted(seen_by_others()) == ["as well", "kept"]


def test_an_interface_that_fails_leaves_nothing_open_either(monkeypatch):
    """Django ends a transaction that the database refuses, and no other."""
    broken_off(monkeypatch, "commit", by=InterfaceError)

    Workspace.objects.create(name="kept")
    assert seen_by_others() == ["kept"]


def test_a_transaction_that_is_found_open_is_ended():
    connection.ensure_connection()
    connection.connection.autocommit = False  # as after a strike before the COMMIT
    Workspace.objects.create(name="lost")

    with pytest.raises(ProgrammingError):
        connection.set_autocommit(True)
    Workspace.objects.create(name="kept")
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
            transaction.on_commit(lambda: done.append("lost"))

    with transaction.atomic():
        transaction.on_commit(lambda: done.append("kept"))
    assert done == ["kept"]
