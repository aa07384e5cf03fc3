"""Statements that are compiled once answer, and write, as Django's own do."""

from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC
from decimal import Decimal
from functools import partial
from uuid import UUID, uuid4
from weakref import ref

import pytest
from django.core.exceptions import ValidationError
from django.db import DataError, IntegrityError, connection, connections
from django.db.models import Count, Model, Q
from django.utils.timezone import now

from accounts.models import Account
from automation.models import RuleRun, Transfer
from automation.services import runs
from automation.services.compiled import Compiled, Exchange, Insertion
from automation.services.prepared import FEW, KEPT, MOST, Cursor, execute

RUNS = Compiled(
    lambda moment, *ids: RuleRun.objects.select_related("rule").filter(
        pk__in=ids, created__lte=moment
    )
)

SWAP = Exchange(RuleRun, "status", "lease_until", "attempts")
INSERT = Insertion(Transfer, "run")
PREPARED_AFTER = 5  # times that a statement is asked


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
def test_only_statements_with_few_values_are_prepared(two):
    few = execute("SELECT %s", [two[0].pk])
    assert few.fetchall() == [(two[0].pk,)]
    assert execute("SELECT %s", [two[1].pk]).cursor is few.cursor

    many = execute(f"SELECT {', '.join(['%s'] * (MOST + 1))}", [1] * (MOST + 1))

    assert type(few.cursor) is Cursor is not type(many.cursor)
    with connection.cursor() as other:
        assert type(other.cursor) is type(many.cursor)


@pytest.mark.django_db(transaction=True)
def test_a_statement_is_asked_on_the_connection_that_is_open(two):
    before = execute("SELECT 1", []).cursor
    connection.close()

    assert execute("SELECT 2", []).fetchone() == (2,)
    assert execute("SELECT 3", []).cursor is not before
    with pytest.raises(IntegrityError):
        insert([Transfer(id=uuid4(), run=two[0], amount=1, asset="GBP/2")])
    assert execute("SELECT 4", []).fetchone() == (4,)


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_was_closed_is_let_go(two):
    """A worker opens a new one again and again."""
    list(RUNS(now(), two[0].pk))
    before = ref(connection.connection)
    connection.close()

    assert RUNS(now(), two[0].pk)
    gc.collect()
    assert before() is None


@pytest.mark.django_db
def test_a_statement_takes_values_of_any_type_whatever_it_was_given_before(two):
    for value in (1, 2**40, 2**80, None, "a", two[0].pk, Decimal("1.50"), 2):
        assert execute("SELECT %s", [value]).fetchall() == [(value,)]


@pytest.mark.django_db
def test_an_answer_is_not_lost_while_others_are_asked_for(two):
    first = execute("SELECT %s", ["first"])
    for number in range(2 * KEPT):
        assert execute(f"SELECT {number}", []).fetchone() == (number,)

    assert first.fetchone() == ("first",)
    assert len(connection.connection.kept_cursors) <= KEPT


@pytest.mark.django_db
def test_moments_are_read_in_utc_and_rightly_in_any_session(two):
    (found,) = RUNS(now(), two[0].pk)
    assert found.created == two[0].created
    assert found.created.tzinfo is UTC

    with connection.cursor() as cursor:
        cursor.execute("SET TIME ZONE 'Asia/Kathmandu'")
    (found,) = RUNS(now(), two[0].pk)
    assert found.created == two[0].created


@pytest.mark.django_db
def test_models_are_as_the_query_itself_makes_them(topup, alice):
    started, _ = runs.start_run(topup, "three", trigger_kind="manual")
    SWAP(started, {"amount": 2**70, "moves": [{"a": "1"}], "lease_until": now()})
    queries = [
        RuleRun.objects.select_related("rule__workspace", "trigger", "requested_by"),
        runs.legs_with_accounts().order_by("order"),
        Account.objects.select_related("balance", "connection", "parent").order_by(
            "pk"
        ),
        Account.objects.annotate(many=Count("pots")).order_by("pk"),
        Account.objects.order_by("pk").values_list("pk", flat=True),
        Account.objects.order_by("pk").values_list("pk", "goal"),
    ]

    for query in queries:
        assert told(Compiled(lambda query=query: query)()) == told(query)
        assert query


def told(rows):
    """Return all that is known of `rows`, and of what was read along with them."""
    return [all_of(row) if isinstance(row, Model) else row for row in rows]


def all_of(row, seen=()):
    if row is None or row in seen:
        return row
    known = {name: value for name, value in vars(row).items() if name != "_state"}
    joined = row._state.fields_cache.items()
    return {
        "model": type(row),
        "new": (row._state.adding, row._state.db),
        "columns": known,
        "joined": {name: all_of(other, (*seen, row)) for name, other in joined},
    }


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
def test_an_exchange_finds_on_its_way_what_was_there_before(two, anna):
    one, other = two
    everything = now(), one.pk, other.pk

    found = SWAP.finding(one, {"status": "planned"}, RUNS, *everything)

    assert {run.pk: run.status for run in found} == {one.pk: "due", other.pk: "due"}
    assert all(run.rule.name for run in found)
    assert RuleRun.objects.get(pk=one.pk).status == "planned"
    assert SWAP.finding(other, {"status": "planned"}, RUNS, now(), uuid4()) == []
    assert RuleRun.objects.get(pk=other.pk).status == "planned"


@pytest.mark.django_db
def test_an_exchange_finds_nothing_where_somebody_was_faster(two):
    one, other = two
    RuleRun.objects.filter(pk=one.pk).update(status="planned")

    assert SWAP.finding(one, {"reason": "mine"}, RUNS, now(), other.pk) is None


@pytest.mark.django_db
def test_an_exchange_refuses_what_a_column_cannot_hold(two):
    with pytest.raises(ValidationError):
        SWAP(two[0], {"amount": 1.5})


@pytest.mark.django_db
def test_whole_numbers_of_any_size_are_written_by_one_statement(two):
    for size in (1, 2**20, 2**40, 2**80) * (PREPARED_AFTER + 1):
        assert SWAP(two[0], {"amount": size, "dry": True}) == 1

    assert RuleRun.objects.get(pk=two[0].pk).amount == 2**80
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT parameter_types::text FROM pg_prepared_statements "
            'WHERE statement LIKE \'%%"amount" = v.v0, "dry" = v.v1 %%\''
        )
        assert len(cursor.fetchall()) == 1


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


def insert(rows):
    """Insert `rows` with an exchange that changes nothing."""
    one = rows[0].run
    assert INSERT(SWAP, [(one, {"reason": one.reason})], rows) == {one.pk}


@pytest.mark.django_db
@pytest.mark.parametrize("number", [1, 2, 7, 3_000])
def test_an_insertion_writes_all_columns_of_all_rows(transfers, number):
    rows = transfers(number)
    rows[-1].held_before, rows[-1].error = 5, "100 % \u2026"

    insert(rows)

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
        insert(rows)

    assert not Transfer.objects.exists()
    assert rows[0]._state.adding


@pytest.mark.django_db
def test_rows_are_inserted_with_the_row_they_follow_from_or_neither_is(two, transfers):
    one, rows = two[0], transfers(2)

    assert INSERT(SWAP, [(one, {"status": "planned"})], rows) == {one.pk}
    assert RuleRun.objects.get(pk=one.pk).status == "planned"
    assert {row.pk for row in rows} == set(
        Transfer.objects.values_list("pk", flat=True)
    )

    late = transfers(1)
    late[0].move = 7  # `one` still says that it is due: somebody was faster
    assert not INSERT(SWAP, [(one, {"reason": "mine"})], late)
    assert late[0]._state.adding
    assert not Transfer.objects.filter(move=7).exists()
    assert RuleRun.objects.get(pk=one.pk).reason == ""


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("name", "value"),
    [("asset", "G" * 100), ("amount", 10**79), ("error_code", "e" * 99)],
)
def test_an_insertion_cuts_nothing_off(transfers, name, value):
    rows = transfers(1)
    setattr(rows[0], name, value)

    with pytest.raises((DataError, IntegrityError, ValidationError)):
        insert(rows)

    assert not Transfer.objects.exists()


@pytest.mark.django_db
def test_what_joins_many_values_to_a_table_is_planned_each_time(topup):
    start = partial(runs.start_run, topup, trigger_kind="manual")
    many = [start(str(number))[0] for number in range(FEW + 1)]
    for number in range(8):
        for some in (many, many[:FEW], many[:1]):
            told = [(run, {"reason": f"{len(some)}: {number}"}) for run in some]
            assert len(SWAP.all_of(told)) == len(some)

    known = execute("SELECT statement FROM pg_prepared_statements", []).fetchall()
    kept = [sql for (sql,) in known if 'UPDATE "automation_rulerun"' in sql]
    assert {sql.count("::uuid") for sql in kept} == {FEW, 1}


@pytest.mark.django_db
def test_an_exchange_of_many_rows_changes_those_where_nobody_was_faster(two):
    one, other = two
    RuleRun.objects.filter(pk=one.pk).update(status="planned")
    soon = now()

    written = SWAP.all_of(
        [(one, {"reason": "mine"}), (other, {"lease_until": soon, "reason": ""})]
    )

    assert written == {other.pk}
    assert RuleRun.objects.get(pk=other.pk).lease_until == soon
    assert RuleRun.objects.get(pk=one.pk).reason == ""
    assert SWAP.all_of([]) == set()
