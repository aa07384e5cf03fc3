"""No bank is asked to move money before the intent is committed: G2."""

from __future__ import annotations

import pytest
from django.db import connection

from accounts.services import NotCommitted
from automation import services, tasks

from .conftest import Person
from .test_together import topped_up

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def due(bank, workspace):
    """Return the runs of two people that are due, and start them."""
    people = [Person(bank, workspace, name) for name in ("alice", "bert")]
    for person in people:
        person.fill(person.main, 1000_00)
    rules = [topped_up(person) for person in people]
    runs = [services.start_run(r, "due", trigger_kind="manual")[0] for r in rules]
    return [str(run.pk) for run in runs]


@pytest.fixture
def never_committed(due):
    """Leave the connection as an exception may that strikes where a block ends."""
    connection.set_autocommit(False)
    yield
    connection.close()
    connection.connect()


@pytest.mark.usefixtures("never_committed")
def test_alone_a_run_sends_nothing_from_a_transaction_that_nobody_ends(bank, due):
    with pytest.raises(NotCommitted):
        tasks.execute_run(due[0])
    assert not [e for e in bank.movements() if e.dedupe_id]


@pytest.mark.usefixtures("never_committed")
def test_nor_do_runs_side_by_side(bank, due):
    with pytest.raises(NotCommitted):
        tasks.execute_runs(due)
    assert not [e for e in bank.movements() if e.dedupe_id]
