"""What follows from what was heard is written along with it, or not at all."""

from __future__ import annotations

import pytest
from django.db import DataError, IntegrityError, OperationalError

from accounts import services
from accounts.models import Balance, Connection, SyncRun, Workspace
from accounts.services import recording

pytestmark = pytest.mark.django_db
KIND = "pre_automation"


class Following:
    """Writes a row along, and notes what was written by then and what was committed."""

    def __init__(self) -> None:
        self.failure: Exception | None = None
        self.known: list[int] = []  # balances, each time it was called
        self.committed = 0

    def __call__(self):
        self.known.append(Balance.objects.count())
        Workspace.objects.create(name="along")
        if self.failure is not None:
            raise self.failure
        return self.note

    def note(self) -> None:
        self.committed += 1

    @property
    def written(self) -> int:
        return Workspace.objects.filter(name="along").count()


@pytest.fixture
def following() -> Following:
    return Following()


def read(owners, following) -> list[str]:
    """Sync `owners` with what follows, and return what came of each."""
    runs = services.sync(owners, KIND, also=following)
    return [run.status for run in runs]


def test_what_follows_sees_what_was_heard_and_learns_that_it_is_committed(
    person, following
):
    _, owner = person

    assert read([owner], following) == ["ok"]

    assert (following.known, following.written, following.committed) == ([3], 1, 1)


@pytest.mark.parametrize(
    "failure", [DataError, IntegrityError, OperationalError, KeyError, ValueError]
)
def test_where_what_follows_fails_what_was_heard_is_written_without_it(
    person, following, failure
):
    _, owner = person
    following.failure = failure("odd")

    assert read([owner], following) == ["ok"]

    assert (following.known, following.written, following.committed) == ([3], 0, 0)
    assert Balance.objects.count() == 3
    assert [run.status for run in SyncRun.objects.filter(kind=KIND)] == ["ok"]


def test_what_nobody_expects_of_it_is_raised(person, following):
    _, owner = person
    following.failure = AssertionError("odd")

    with pytest.raises(AssertionError, match="odd"):
        read([owner], following)

    assert (following.written, following.committed) == (0, 0)
    assert not SyncRun.objects.filter(kind=KIND).exists()


def test_it_follows_from_a_failure_as_well(person, bank, following):
    _, owner = person
    bank.fault("refuse", path="/accounts", status=403, body={"code": "forbidden"})

    assert read([owner], following) == ["failed"]

    assert (following.known, following.committed) == ([0], 1)


def test_nothing_follows_once_a_connection_was_put_away(person, following, monkeypatch):
    _, owner = person
    write = recording._record

    def put_away_first(*told):
        Connection.objects.update(archived_at="2026-01-01T00:00Z")
        return write(*told)

    monkeypatch.setattr(recording, "_record", put_away_first)
    read([owner], following)

    assert (following.known, following.committed) == ([], 0)


def test_it_follows_once_where_all_that_was_heard_is_written_together(
    workspace, following
):
    nowhere = {"workspace": workspace, "provider": "nowhere"}
    owners = [Connection.objects.create(**nowhere) for _ in range(2)]

    assert read(owners, following) == ["failed", "failed"]

    assert (following.known, following.committed) == ([0], 1)


def test_it_does_not_follow_where_one_of_them_cannot_even_be_asked(person, following):
    _, owner = person
    other = Connection.objects.create(workspace=owner.workspace, provider="nowhere")

    assert read([owner, other], following) == ["ok", "failed"]

    assert (following.known, following.committed) == ([], 0)
