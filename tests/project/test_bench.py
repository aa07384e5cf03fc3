"""The measurements run; what they find is theirs to say."""

from __future__ import annotations

import pytest

from accounts.models import BalanceDay
from automation.models import RuleRun
from tests.bench import behind, rules, storage
from tests.bench.sync import bank


@pytest.mark.django_db
def test_storage_is_measured_with_few_rows():
    few = "--accounts 20 --rows 80 --creates 10 --writes 40 --batch 50 --rounds 2"
    wish = storage.parser().parse_args(few.split())

    found = storage.measure(wish)

    assert found.rows["last"] + found.rows["this"] == 80 + 80
    assert found.rows["create"] == 80 + 20
    assert found.rows["days"] == BalanceDay.objects.count() > 20
    assert found.ratio > 0
    assert found.all_bytes > 0
    storage.report(found, wish)


@pytest.fixture
def remote(tmp_path, monkeypatch, settings):
    monkeypatch.setenv("BALSYNC_PROVIDER_URLS", "{}")  # which both are told anew
    settings.PROVIDER_URLS = {}
    with bank(str(tmp_path)) as found:
        yield found


@pytest.mark.django_db(transaction=True)
def test_planner_and_runs_are_measured_with_few_of_each(remote, monkeypatch):
    monkeypatch.setattr(rules, "ABREAST", (1, 2))
    monkeypatch.setattr(rules, "LEAST", 2)
    wish = rules.parser().parse_args(["--rules", "30", "--runs", "4"])

    planner, runs, together = rules.tables(remote, wish)

    assert planner.row_count == len(rules.KINDS)
    assert runs.row_count == 3
    assert "On a connection of its own it takes" in runs.caption
    assert together.row_count == 2


@pytest.mark.django_db(transaction=True)
def test_a_long_history_is_measured_with_a_short_one(remote):
    wish = behind.parser().parse_args(["--runs", "2", "--behind", "40"])

    found = behind.table(remote, wish, storage.people(2))

    assert found.row_count == 2
    assert RuleRun.objects.count() == 40 + 2 + 3
