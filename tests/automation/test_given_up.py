"""What a run that was given up left unclear: asked about each night, never sent again."""

from __future__ import annotations

import pytest
from django.test import TestCase

from automation import services, tasks
from automation.models import RuleRun, Transfer

from .test_resuming import give_up

pytestmark = pytest.mark.django_db


@pytest.fixture
def unclear(bank, topup, run, orders):
    """Give up a run whose only answer was lost, before or after the money moved."""

    def lose(how: str) -> Transfer:
        bank.fault(how, **orders)
        give_up(run(topup))
        row = Transfer.objects.get()
        assert (row.status, row.error_code) == ("unknown", "quarantined")
        assert (row.needs_person, row.next_attempt_at) == (True, None)
        return row

    return lose


def at_night() -> None:
    with TestCase.captureOnCommitCallbacks(execute=True):
        tasks.prove_transfers()


def test_what_had_moved_is_found_at_night(alice, unclear, moved):
    row = unclear("act_then_drop")

    at_night()

    row.refresh_from_db()
    assert (row.status, row.verified, row.needs_person) == ("done", True, False)
    assert moved() == {str(row.pk): 1}
    assert alice.account(alice.main.external_id).balance.available == 700_00


def test_what_had_not_moved_goes_on_being_asked_about_and_is_not_sent(unclear, moved):
    row = unclear("drop_before")

    at_night()

    row.refresh_from_db()
    assert (row.status, row.needs_person) == ("unknown", True)
    assert row.next_attempt_at is not None
    assert moved() == {str(row.pk): 0}


def test_what_was_claimed_and_never_sent_is_left_to_a_person(alice, unclear, moved):
    row = unclear("drop_before")
    Transfer.objects.update(first_sent_at=None)

    assert services.take_up_unclear(alice.connection.pk) == []
    at_night()

    assert RuleRun.objects.get().status == "quarantined"
    assert moved() == {str(row.pk): 0}


def test_another_connection_has_nothing_to_ask(bank, workspace, unclear):
    unclear("drop_before")

    assert services.take_up_unclear(workspace.pk) == []
