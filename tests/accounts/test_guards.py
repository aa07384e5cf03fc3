"""What the database itself refuses, whoever asks."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils.timezone import now

from accounts.models import (
    Account,
    Balance,
    BalanceSnapshot,
    Connection,
    Correction,
    SyncRun,
)
from accounts.services.statements import column
from providers.money import LARGEST

pytestmark = pytest.mark.django_db


@pytest.fixture
def snapshot(account) -> BalanceSnapshot:
    return account.snapshots.create(total=500, available=500, as_of=now())


@pytest.fixture
def correction(account) -> Correction:
    run = SyncRun.objects.create(connection=account.connection, kind="manual")
    return Correction.objects.create(sync=run, account=account, field="total")


def expect_refused(act) -> str:
    with pytest.raises(DatabaseError) as caught, transaction.atomic():
        act()
    return str(caught.value)


def run(statement: str):
    with connection.cursor() as cursor:
        cursor.execute(statement)


TABLES = [
    ("accounts_balancesnapshot", "total = total + 1"),
    ("accounts_correction", "reason = 'mine'"),
]


@pytest.mark.parametrize(("table", "change"), TABLES)
def test_history_cannot_be_changed_by_raw_sql(table, change, snapshot, correction):
    run("SET CONSTRAINTS ALL IMMEDIATE")  # TRUNCATE waits for no deferred check

    assert "append-only" in expect_refused(lambda: run(f"UPDATE {table} SET {change}"))
    assert "append-only" in expect_refused(lambda: run(f"DELETE FROM {table}"))
    assert "append-only" in expect_refused(lambda: run(f"TRUNCATE {table} CASCADE"))


def test_history_cannot_be_changed_through_the_models(snapshot, correction):
    snapshot.total = 1
    correction.reason = "mine"

    for act in (
        snapshot.save,
        snapshot.delete,
        correction.save,
        correction.delete,
        lambda: BalanceSnapshot.objects.update(total=1),
        lambda: Correction.objects.all().delete(),
    ):
        assert "append-only" in expect_refused(act)
    assert BalanceSnapshot.objects.get().total == 500


def test_retention_passes_by_name_and_for_its_own_transaction_only(snapshot):
    with transaction.atomic():
        run("SET LOCAL balsync.retention = 'on'")
        assert BalanceSnapshot.objects.all().delete()[0] == 1
        run("SET LOCAL balsync.retention = 'off'")
    snapshot.save(force_insert=True)

    assert "append-only" in expect_refused(snapshot.delete)


def test_money_is_kept_with_its_history(account, snapshot):
    with pytest.raises(IntegrityError):
        account.delete()


@pytest.mark.parametrize("amount", [2**53 + 1, 10**18 + 1, 2**256 - 1, -LARGEST])
def test_database_keeps_every_unit(amount, account):
    Balance.objects.create(
        account=account,
        total=amount,
        available=amount,
        as_of=now(),
        fetched_at=now(),
    )
    account.snapshots.create(total=amount, available=0, as_of=now())

    assert Balance.objects.get().total == amount
    assert account.snapshots.get().total == amount


@pytest.mark.parametrize("wrong", [1.5, "1", True, float("nan"), LARGEST + 1])
def test_models_refuse_what_is_no_whole_amount(wrong, account):
    with pytest.raises(ValidationError):
        account.snapshots.create(total=wrong, available=0, as_of=now())


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO accounts_balancesnapshot"
        " (account_id, total, available, held, as_of, source)"
        " SELECT id, {}, 0, 0, now(), 'live' FROM accounts_account",
        "INSERT INTO accounts_balance"
        " (account_id, total, available, held, as_of, fetched_at, source, error)"
        " SELECT id, 0, {}, 0, now(), now(), 'live', '' FROM accounts_account",
        "UPDATE accounts_account SET goal = {}",
        "INSERT INTO accounts_transaction (account_id, external_id, amount, asset,"
        " created, declined, description, counterparty, merchant, category, pot,"
        " dedupe_id, metadata) SELECT id, 'x', {}, 'GBP/2', now(), '', '', '', '', '',"
        " '', '', '{{}}' FROM accounts_account",
    ],
)
@pytest.mark.parametrize("amount", ["'NaN'", "'Infinity'"])
def test_no_number_that_is_none_gets_in_by_raw_sql(statement, amount, account):
    expect_refused(lambda: run(statement.format(amount)))
    run(statement.format("7"))


def test_one_account_is_automated_once(account, workspace):
    other = Connection.objects.create(workspace=workspace, provider="somewhere")
    twin = {
        "workspace": workspace,
        "connection": other,
        "provider": "somewhere",
        "external_id": "main",
        "asset": "GBP/2",
    }

    expect_refused(lambda: Account.objects.create(**twin))
    assert Account.objects.create(**twin, automates=False).pk
    assert Account.objects.counted().count() == 1


@pytest.mark.parametrize(
    "values",
    [
        [""],
        ["", ""],
        [None],
        ["a", None, ""],
        ["{", '"', "\\", ",", "NULL", "it's", "%s", "ü€", "\n\t"],
    ],
)
def test_column_arrives_at_the_server_as_it_was(values):
    with connection.cursor() as cursor:
        cursor.execute(
            r"SELECT (string_to_array(%s, E'\x1e', E'\x1d'))[2:]::text[]",
            [column(values)],
        )
        assert cursor.fetchone()[0] == values


def test_separator_inside_a_text_moves_no_other_value():
    assert column(["a\x1eb", "c"]).split("\x1e") == ["", "a b", "c"]
