"""Queries that are compiled once answer as Django's own do."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import pytest
from django.db import connections
from django.utils.timezone import now

from automation.models import RuleRun
from automation.services import runs
from automation.services.compiled import Compiled

RUNS = Compiled(
    lambda moment, *ids: RuleRun.objects.select_related("rule").filter(
        pk__in=ids, created__lte=moment
    )
)


@pytest.fixture
def two(topup):
    start = runs.start_run
    return [start(topup, key, trigger_kind="manual")[0] for key in ("one", "two")]


@pytest.mark.django_db
def test_it_finds_what_the_query_finds_for_any_values(two):
    one, other = two

    assert list(RUNS(now(), one.pk)) == [one]
    assert list(RUNS(now(), other.pk)) == [other]
    assert set(RUNS(now(), one.pk, other.pk)) == {one, other}
    assert list(RUNS(one.created, other.pk)) == []
    assert list(RUNS(now(), uuid4())) == []


@pytest.mark.django_db
def test_it_loads_what_is_joined(two, django_assert_num_queries):
    with django_assert_num_queries(1):
        (found,) = RUNS(now(), two[0].pk)
        assert found.rule == two[0].rule


@pytest.mark.django_db
def test_a_run_that_does_not_exist_is_named(topup):
    unknown = UUID(int=7)

    with pytest.raises(RuleRun.DoesNotExist, match=str(unknown)):
        runs.load(unknown)


@pytest.mark.django_db(transaction=True)
def test_it_answers_on_the_connection_of_whoever_asks(two):
    list(RUNS(now(), two[0].pk))

    def ask():
        try:
            return list(RUNS(now(), two[0].pk))
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as elsewhere:
        assert elsewhere.submit(ask).result(30) == [two[0]]
