"""A person acts on the queue of transfers that wait for one."""

from __future__ import annotations

import pytest

from automation.models import Resolution, Transfer

from .pages import page, text, verb


@pytest.fixture
def waiting(home) -> Transfer:
    Transfer.objects.filter(pk=home.transfer.pk).update(
        status="unknown", needs_person=True, may_have_moved=True
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
