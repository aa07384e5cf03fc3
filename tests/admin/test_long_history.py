"""Pages read what they show, and not all that ever happened."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from automation.models import Rule, RuleRun, Transfer
from tests.long_ago import analyze, make_many, read_by_now

from .pages import listing, page, text

pytestmark = pytest.mark.django_db


@pytest.fixture
def long_ago(home):
    make_many(home.rule, home.main, home.bills)
    analyze()


def rows_read(client, address, model):
    before = read_by_now(model)
    assert client.get(address).status_code == 200
    return read_by_now(model) - before


@pytest.mark.usefixtures("long_ago")
@pytest.mark.parametrize("where", ["the dashboard", "runs", "a rule"])
def test_transfers_are_read_only_of_the_runs_that_are_shown(owner, home, where):
    places = {
        "the dashboard": "/admin/",
        "runs": listing(RuleRun),
        "a rule": page(home.rule),
    }

    assert rows_read(owner, places[where], Transfer) < 200


@pytest.mark.usefixtures("long_ago")
def test_a_list_of_rules_reads_one_run_of_each(owner):
    assert rows_read(owner, listing(Rule), RuleRun) < 20


@pytest.mark.usefixtures("long_ago")
def test_runs_are_shown_with_what_they_moved(owner, home):
    assert "£0.01" in text(owner.get(listing(RuleRun)))
    assert "£0.01" in text(owner.get(page(home.rule)))


def test_a_page_of_a_rule_asks_for_its_runs_once(owner, home):
    with CaptureQueriesContext(connection) as asked:
        assert owner.get(page(home.rule)).status_code == 200

    newest = [q for q in asked.captured_queries if '"arrived"' in q["sql"]]
    assert len(newest) == 1
