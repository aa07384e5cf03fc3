"""No transaction outlives its block, and no connection the server that ended it."""

from __future__ import annotations

import select
import signal
import threading
from time import monotonic
from unittest.mock import Mock

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.db import (
    DEFAULT_DB_ALIAS,
    InterfaceError,
    ProgrammingError,
    close_old_connections,
    connection,
    connections,
    transaction,
)
from django.db.backends.postgresql import base

from accounts.models import Workspace
from balsync_project.postgresql.base import TRUSTED, quiet

pytestmark = pytest.mark.django_db(transaction=True)


def strike():
    raise SoftTimeLimitExceeded


def elsewhere(sql):
    """Return what the database answers to `sql` on another connection."""
    answers = []

    def ask():
        with connection.cursor() as cursor:
            cursor.execute(sql)
            answers.extend(cursor.fetchall() if cursor.description else ())
        connections.close_all()

    other = threading.Thread(target=ask)
    other.start()
    other.join()
    return answers


def seen_by_others():
    """Return the names of the workspaces that another connection sees."""
    return [name for (name,) in elsewhere("SELECT name FROM accounts_workspace")]


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


def begun_anew():
    """Begin as a task does, and return whether that was on the same connection."""
    before = connection.connection
    close_old_connections()
    Workspace.objects.count()
    return connection.connection is before


@pytest.fixture
def asked(monkeypatch):
    """Return the list of what Django has found whenever it asked the database."""
    told = []

    def ask(self):
        told.append(usable(self))
        return told[-1]

    connection.ensure_connection()
    assert connection.is_usable()
    usable = base.DatabaseWrapper.is_usable
    monkeypatch.setattr(base.DatabaseWrapper, "is_usable", ask)
    return told


def test_a_connection_of_which_nothing_is_heard_is_kept_without_asking(asked):
    assert begun_anew()
    assert asked == []


def test_the_database_is_asked_where_it_was_not_for_a_while(asked, monkeypatch):
    later = monotonic() + TRUSTED
    monkeypatch.setattr("balsync_project.postgresql.base.monotonic", lambda: later)

    assert begun_anew()
    assert asked == [True]
    assert begun_anew()
    assert asked == [True], "it was just now"


def test_a_connection_that_the_server_has_ended_is_replaced(asked):
    pid = connection.connection.info.backend_pid
    elsewhere(f"SELECT pg_terminate_backend({pid}, 5000)")

    assert not begun_anew()
    assert asked == [False]


def test_the_database_is_asked_where_something_came_that_nobody_asked_for(asked):
    with connection.cursor() as cursor:
        cursor.execute("LISTEN news")
    elsewhere("NOTIFY news")
    assert select.select([connection.connection.fileno()], [], [], 10)[0], "no news"

    assert begun_anew()
    assert asked == [True]
    assert begun_anew()
    assert asked == [True], "by then it is heard"


def test_the_database_is_asked_after_an_error(asked):
    with pytest.raises(ProgrammingError), connection.cursor() as cursor:
        cursor.execute("SELECT FROM nowhere")

    assert begun_anew()
    assert asked == [True]


def test_a_transaction_that_was_left_open_is_no_quiet_connection():
    connection.ensure_connection()
    raw = connection.connection
    assert quiet(raw.pgconn)
    raw.pgconn.exec_(b"BEGIN")
    assert not quiet(raw.pgconn)
    raw.pgconn.exec_(b"ROLLBACK")
    assert quiet(raw.pgconn)


def test_without_a_connection_there_is_none_to_use():
    connection.close()
    assert not connection.is_usable()
