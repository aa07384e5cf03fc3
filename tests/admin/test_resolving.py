"""A person acts on the queue of transfers that wait for one."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from accounts.models import Discrepancy
from automation.models import Resolution, Transfer

from .pages import listing, page, text, verb


@pytest.fixture
def waiting(home) -> Transfer:
    Transfer.objects.filter(pk=home.transfer.pk).update(
        status="unknown", settled_at=None, needs_person=True, may_have_moved=True
    )
    home.transfer.refresh_from_db()
    return home.transfer


def test_the_page_says_what_to_do_and_offers_both_words(operator, waiting):
    shown = text(operator.get(page(waiting)))

    assert "It is never sent again" in shown
    assert "It happened" in shown
    assert "It did not happen" in shown


def test_an_operators_word_ends_it_with_the_name(operator, waiting):
    operator.post(verb(waiting, "it-did-not-happen"), {"note": "Looked"}, follow=True)

    waiting.refresh_from_db()
    assert (waiting.status, waiting.needs_person) == ("refused", False)
    told = Resolution.objects.get()
    assert (told.user, told.happened, told.note) == (operator.user, False, "Looked")


def test_it_happened_needs_the_banks_reference(operator, waiting):
    operator.post(verb(waiting, "it-happened"), {"note": "I think"}, follow=True)

    waiting.refresh_from_db()
    assert waiting.status == "unknown"
    assert not Resolution.objects.exists()


def test_a_viewer_may_only_look(viewer, waiting):
    assert viewer.post(verb(waiting, "it-did-not-happen")).status_code == 403
    assert not Resolution.objects.exists()


@pytest.fixture
def missing(home) -> Discrepancy:
    """What the proof says of a transfer that the bank has no entry of."""
    return Discrepancy.objects.create(
        account=home.main,
        name="transfer_missing",
        subject=str(home.transfer.pk),
        expected=-5_012,
        actual=0,
        last_seen_at=now(),
    )


def test_a_discrepancy_leads_to_the_transfer_it_is_about(viewer, home, missing):
    for where in (page(missing), listing(Discrepancy), page(home.main)):
        shown = viewer.get(where)
        assert page(home.transfer) in shown.content.decode(), where
        assert "Transfer missing" in text(shown)
        assert str(home.transfer.pk) not in text(shown)


def test_many_discrepancies_are_listed_by_as_many_queries_as_two(viewer, home, missing):
    def queries(more: int) -> int:
        for _ in range(more):
            found = Transfer.objects.get(pk=home.transfer.pk)
            found.pk, found.step = uuid4(), found.step + 1 + Transfer.objects.count()
            found.save(force_insert=True)
            Discrepancy.objects.create(
                account=home.main,
                name="transfer_missing",
                subject=str(found.pk),
                expected=-1,
                actual=0,
                last_seen_at=now(),
            )
        with CaptureQueriesContext(connection) as asked:
            for where in (listing(Discrepancy), page(home.main)):
                viewer.get(where)
        return len(asked)

    queries(0)
    assert queries(1) == queries(5)


def test_a_transfer_shows_what_the_bank_says_otherwise(viewer, home, missing):
    assert page(missing) in viewer.get(page(home.transfer)).content.decode()


def test_a_subject_that_is_no_transfer_of_ours_stays_as_it_is(
    viewer, home, foreign, missing
):
    for subject in ("tx_elsewhere", str(foreign.transfer.pk)):
        Discrepancy.objects.filter(pk=missing.pk).update(subject=subject)
        shown = viewer.get(page(missing))
        assert subject in text(shown)
        assert page(foreign.transfer) not in shown.content.decode()


@pytest.mark.parametrize("word", ["accept", "ignore"])
def test_it_is_written_down_who_decided_about_a_discrepancy(
    word, operator, viewer, home, missing
):
    operator.post(verb(missing, word))

    missing.refresh_from_db()
    assert missing.decided_by == operator.user
    assert missing.decided_at is not None
    for where in (page(missing), page(home.transfer)):
        assert "operator" in text(viewer.get(where))


def test_who_decided_first_stays(operator, owner, missing):
    operator.post(verb(missing, "accept"))
    owner.post(verb(missing, "ignore"))

    missing.refresh_from_db()
    assert (missing.status, missing.decided_by) == ("accepted", operator.user)
