"""No transaction outlives its block, whatever breaks its end off."""

from __future__ import annotations

import threading

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from django.db import connection, connections, transaction

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


def broken_off(monkeypatch, end, *, fails=False):
    """Leave a block whose COMMIT or ROLLBACK a time limit strikes."""
    connection.ensure_connection()
    with monkeypatch.context() as patch:
        patch.setattr(connection.connection, end, strike)
        with pytest.raises(SoftTimeLimitExceeded), transaction.atomic():
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
