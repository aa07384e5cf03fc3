"""Statements that are compiled once answer, and write, as Django's own do."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, connections
from django.db.models import Q
from django.utils.timezone import now

from automation.models import RuleRun, Transfer
from automation.services import runs
from automation.services.compiled import Compiled, Exchange, Insertion
from automation.services.prepared import MOST, Cursor, prepared_cursor, preparing

RUNS = Compiled(
    lambda moment, *ids: RuleRun.objects.select_related("rule").filter(
        pk__in=ids, created__lte=moment
    )
)

SWAP = Exchange(RuleRun, "status", "lease_until", "attempts")
INSERT = Insertion(Transfer)


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
def test_it_takes_more_values_than_fit_beside_a_statement(two):
    found = Compiled(
        lambda ids, others: RuleRun.objects.filter(Q(pk__in=ids) | Q(pk__in=others))
    )
    (one, other), many = two, tuple(uuid4() for _ in range(35_000))

    assert set(found((*many, one.pk), (*many, other.pk))) == {one, other}


@pytest.mark.django_db
def test_what_else_is_asked_meanwhile_is_asked_as_ever(two):
    usual = connection.connection.cursor_factory

    with preparing(connection), connection.cursor() as cursor:
        assert cursor.cursor.__class__ is Cursor
    with preparing(connection, values=MOST + 1), connection.cursor() as cursor:
        assert cursor.cursor.__class__ is usual
    with prepared_cursor(), connection.cursor() as other:
        assert other.cursor.__class__ is usual
    with pytest.raises(ZeroDivisionError), preparing(connection):
        raise ZeroDivisionError

    assert connection.connection.cursor_factory is usual


@pytest.mark.django_db
def test_it_takes_tuples_of_any_length_and_none_for_null(two):
    found = Compiled(
        lambda ids, others, lease: RuleRun.objects.filter(
            Q(pk__in=ids) | Q(pk__in=others), lease_until=lease
        )
    )
    (one, other), soon = (run.pk for run in two), now()
    RuleRun.objects.filter(pk=other).update(lease_until=soon)

    def ids(*values):
        return {run.pk for run in found(*values)}

    assert ids((one,), (other,), None) == {one}
    assert ids((one,), (other,), soon) == {other}
    assert ids((), (one, uuid4()), None) == ids((one, one), (), None) == {one}


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


@pytest.mark.django_db
def test_an_exchange_writes_one_row_as_it_was_known(two, anna):
    one, other = two
    fields = {
        "status": "planned",
        "lease_until": now(),
        "trace": [{"step": "planned", "text": "100 % of it\u2026"}],
        "amount": 2**64,
        "approved_by": anna,
        "reason": "",
    }

    assert SWAP(one, fields) == 1

    kept = RuleRun.objects.get(pk=one.pk)
    assert {name: getattr(kept, name) for name in fields} == fields
    assert RuleRun.objects.get(pk=other.pk).status == "due"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "meanwhile", [{"status": "planned"}, {"lease_until": now()}, {"attempts": 3}]
)
@pytest.mark.parametrize("known", [None, now()])
def test_an_exchange_writes_nothing_where_somebody_was_faster(two, meanwhile, known):
    RuleRun.objects.update(lease_until=known)
    mine = RuleRun.objects.get(pk=two[0].pk)
    assert SWAP(mine, {"reason": "the same row as before"}) == 1
    RuleRun.objects.filter(pk=mine.pk).update(**meanwhile)

    assert SWAP(mine, {"reason": "mine"}) == 0
    assert RuleRun.objects.get(pk=mine.pk).reason == "the same row as before"


@pytest.mark.django_db
def test_an_exchange_refuses_what_a_column_cannot_hold(two):
    with pytest.raises(ValidationError):
        SWAP(two[0], {"amount": 1.5})


@pytest.fixture
def transfers(two, alice):
    """Return a function that makes transfers which are not written yet."""
    source, target = alice.main, alice.pots[0]

    def make(number):
        rows = [Transfer(id=uuid4(), run=two[0], move=i) for i in range(number)]
        for row in rows:
            row.source, row.target, row.depends_on = source, target, rows[0]
            row.amount, row.asset = 2**70, source.asset
        return rows

    return make


@pytest.mark.django_db
@pytest.mark.parametrize("number", [1, 2, 7, 3_000])
def test_an_insertion_writes_all_columns_of_all_rows(transfers, number):
    rows = transfers(number)
    rows[-1].held_before, rows[-1].error = 5, "100 % \u2026"

    INSERT(rows)

    kept = list(Transfer.objects.order_by("move").values())
    columns = [column.attname for column in Transfer._meta.concrete_fields]
    assert kept == [{name: getattr(row, name) for name in columns} for row in rows]
    assert all(row.created for row in rows)
    rows[0].refresh_from_db()


@pytest.mark.django_db(transaction=True)
def test_an_insertion_writes_all_rows_or_none(transfers):
    rows = transfers(2)
    rows[1].move = rows[0].move

    with pytest.raises(IntegrityError, match="one_transfer_per_step"):
        INSERT(rows)

    assert not Transfer.objects.exists()
    assert rows[0]._state.adding


@pytest.mark.django_db
def test_an_insertion_of_nothing_asks_nothing(django_assert_num_queries):
    with django_assert_num_queries(0):
        INSERT([])
