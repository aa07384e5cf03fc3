from __future__ import annotations

import pytest
from django.forms.models import model_to_dict

from .conftest import HISTORY
from .pages import adding, deleting, listing, page, typed


@pytest.mark.parametrize("noun", HISTORY)
@pytest.mark.parametrize("who", ["superuser", "owner"])
def test_history_cannot_be_added_changed_or_deleted(noun, who, request, home):
    browser, row = request.getfixturevalue(who), getattr(home, noun)
    before = model_to_dict(row)

    assert browser.get(adding(type(row))).status_code == 403
    assert browser.post(adding(type(row)), {}).status_code == 403
    assert browser.post(page(row), {"amount": "1", "status": "open"}).status_code == 403
    assert browser.get(deleting(row)).status_code == 403
    assert browser.post(deleting(row), {"post": "yes"}).status_code == 403
    row.refresh_from_db()
    assert model_to_dict(row) == before


@pytest.mark.parametrize("noun", HISTORY)
def test_history_shows_no_field_to_type_into(noun, superuser, home):
    row = getattr(home, noun)
    answer = superuser.get(page(row))

    assert typed(answer, f"{row._meta.model_name}_form") == {}


@pytest.mark.parametrize("noun", [*HISTORY, "main", "connection", "rule"])
def test_nothing_offers_to_delete(noun, superuser, home):
    row = getattr(home, noun)

    assert "delete_selected" not in superuser.get(listing(type(row))).content.decode()
    assert superuser.post(deleting(row), {"post": "yes"}).status_code == 403
    assert type(row).objects.filter(pk=row.pk).exists()


def test_an_account_keeps_what_its_provider_says(superuser, home):
    answer = superuser.post(
        page(home.main),
        {
            "name": "Ours",
            "category": "daily",
            "role": "",
            "goal": "1,500.50",
            "active": "on",
            "kind": "cash",
            "asset": "EUR/2",
            "external_id": "another",
        },
    )

    before = home.main.external_id
    home.main.refresh_from_db()
    assert answer.status_code == 302
    assert (home.main.name, home.main.category) == ("Ours", "daily")
    assert home.main.goal == 150_050
    assert (home.main.kind, home.main.asset) == ("current", "GBP/2")
    assert home.main.external_id == before


@pytest.mark.parametrize("goal", ["1.005", "-1", "1e3", "NaN", "½", "1,00", "ten"])
def test_a_goal_that_is_no_exact_amount_is_refused(goal, superuser, home):
    answer = superuser.post(page(home.main), {"name": "x", "goal": goal})

    home.main.refresh_from_db()
    assert answer.status_code == 200
    assert home.main.goal is None
