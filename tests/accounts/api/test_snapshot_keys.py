"""A key stands for one snapshot: of one client, one account, as long as that is kept."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.db import connection as database
from django.utils.timezone import now

from accounts import services
from accounts.models import (
    Account,
    Balance,
    Connection,
    IdempotencyKey,
    SnapshotKey,
    SyncRun,
    Workspace,
)
from accounts.services.entries import Entry
from accounts.services.recording import record
from accounts.verdicts import Heard
from providers.base import Observation, Reading
from tests.fixtures_api import ASSET, V1, expect_problem, member
from tests.fixtures_bank import BANK

THREADS = 60


def key(name: str) -> dict[str, str]:
    return {"Idempotency-Key": name}


def put(client, account, minor: int = 5, name: str = "k"):
    path = f"{V1}/accounts/{account.pk}/snapshots/"
    body = {"total": {"asset": ASSET, "minor": str(minor)}}
    return client.post(path, body, headers=key(name))


# --- a client's keys ---


@pytest.mark.django_db
def test_key_finds_its_snapshot_long_after_answers_are_forgotten(world):
    first = put(world.operator, world.mine.cash)
    assert not IdempotencyKey.objects.exists()
    put(world.operator, world.mine.cash, 9, "another")

    again = put(world.operator, world.mine.cash)

    assert (first.status_code, first.content) == (201, again.content)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert SnapshotKey.objects.get(key="k").replays == 1
    other = put(world.operator, world.mine.cash, 6)
    expect_problem(other, 422, "idempotency_key_reused")


@pytest.mark.django_db
def test_key_belongs_to_its_client_and_account(world):
    cash = world.mine.cash
    second = member("second", (world.mine.workspace, "operator"))
    jar = services.create_typed_account(cash.connection, "Jar", ASSET)

    answers = [put(world.operator, cash), put(second, cash, 6), put(second, jar, 7)]

    assert len({a.json()["id"] for a in answers}) == 3
    assert [a.headers.get("Idempotent-Replayed") for a in answers] == [None] * 3
    assert SnapshotKey.objects.count() == 3
    assert put(world.stranger, cash).status_code == 404


@pytest.mark.django_db
def test_key_whose_snapshot_was_given_up_counts_as_new(world):
    cash = world.mine.cash
    first = put(world.operator, cash)
    SnapshotKey.objects.update(as_of=now() - timedelta(days=99))

    again = put(world.operator, cash, 6)

    assert again.status_code == 201
    assert again.json()["id"] != first.json()["id"]
    assert put(world.operator, cash, 6).json() == again.json()


@pytest.mark.django_db
def test_key_is_one_however_the_route_and_the_key_are_spelt(world):
    put(world.operator, world.mine.cash, 5)
    base = f"{V1}/wallets/{world.mine.cash.pk}/sync-balance"
    told = {"idempotency_key": "w"}

    answers = [
        world.operator.post(base, told),
        world.operator.post(f"{base}/", headers=key("w")),
        world.operator.post(base, told, headers=key("w")),
    ]

    assert {a.status_code for a in answers} == {200}
    assert len({a.content for a in answers}) == 1
    replays = [a.headers.get("Idempotent-Replayed") for a in answers]
    assert replays == [None, "true", "true"]


@pytest.mark.django_db(transaction=True)
def test_sixty_at_once_with_one_key_are_one_row_and_one_call(bank):
    workspace = Workspace.objects.create(name="home")
    [customer] = bank.add_customers(["alice"], pots=1)
    owner = services.connect(workspace, BANK, customer.credentials, label="alice")
    services.sync([owner], "start_up")
    main = Account.objects.get(external_id=customer.account.external_id)
    services.take_snapshot(main)
    asked = bank.requests
    services.take_snapshot(main)
    one_call = bank.requests - asked
    bank.pay(main.external_id, 12_34)
    client = member("robot", (workspace, "operator"))
    before, rows = bank.requests, main.snapshots.count()
    barrier = threading.Barrier(THREADS)

    def ask(_) -> tuple[int, bytes]:
        try:
            barrier.wait(timeout=60)
            path = f"{V1}/wallets/{main.pk}/sync-balance"
            answer = client.post(path, {"idempotency_key": "one"})
            return answer.status_code, answer.content
        finally:
            database.close()

    with ThreadPoolExecutor(THREADS) as pool:
        answers = set(pool.map(ask, range(THREADS)))

    [(status, content)] = answers
    held = main.unit.major(bank.balance(main.external_id))
    assert (status, json.loads(content)["balance"]) == (200, held)
    assert main.snapshots.count() == rows + 1
    assert bank.requests == before + one_call
    assert SnapshotKey.objects.get().replays == THREADS - 1


# --- a provider's ids ---


@pytest.fixture
def account(workspace) -> Account:
    return open_account(workspace)


def open_account(workspace: Workspace, **more) -> Account:
    owner = Connection.objects.create(workspace=workspace, provider="somewhere")
    return Account.objects.create(
        workspace=workspace,
        connection=owner,
        provider="somewhere",
        external_id="main",
        asset=ASSET,
        **more,
    )


def tell(account: Account, total: int, balance_id: str, **more) -> SyncRun:
    """Record what the provider of `account` says and calls it."""
    reading = Reading(
        account.external_id, account.unit, total, total, balance_id=balance_id, **more
    )
    run = SyncRun.objects.create(connection=account.connection, kind="manual")
    heard = Heard(Observation([reading], complete=False), now(), now())
    record([Entry(run, heard=heard)])
    return run


@pytest.mark.django_db
def test_same_id_of_two_accounts_stands_for_two_snapshots(account, workspace):
    twin = open_account(workspace, automates=False)
    pot = Account.objects.create(
        workspace=workspace,
        connection=account.connection,
        provider="somewhere",
        external_id="pot",
        asset=ASSET,
    )
    for number, row in enumerate((account, twin, pot)):
        tell(row, number, "b1")

    assert SnapshotKey.objects.filter(key="b1").count() == 3
    assert [row.snapshots.get().total for row in (account, twin, pot)] == [0, 1, 2]


@pytest.mark.django_db
def test_known_id_makes_no_second_snapshot_and_never_goes_back(account):
    tell(account, 10, "b1")
    tell(account, 10, "b1")
    tell(account, 20, "b2")

    late = tell(account, 10, "b1")

    assert Balance.objects.get(account=account).total == 20
    assert list(account.snapshots.values_list("total", flat=True)) == [20, 10]
    assert late.results[0]["status"] == "older"


@pytest.mark.django_db
def test_id_that_is_used_for_other_figures_is_not_believed(account):
    tell(account, 10, "b1")

    run = tell(account, 11, "b1")

    balance = Balance.objects.get(account=account)
    assert (balance.total, run.status, run.error_code) == (10, "partial", "id_reused")
    assert "b1" in balance.error
    assert account.snapshots.count() == 1


@pytest.mark.django_db
def test_id_that_is_none_discredits_the_answer(account):
    assert tell(account, 10, "b\0").error_code == "unreadable_id"
    assert tell(account, 10, "b" * 256).error_code == "unreadable_id"
    assert tell(account, 10, "b" * 255).status == "ok"


@pytest.mark.django_db
def test_database_itself_refuses_a_second_snapshot_for_a_name(account):
    for scope, client in (("client", "user:1"), ("provider", "")):
        row = {"account": account, "scope": scope, "client": client, "key": "k"}
        SnapshotKey.objects.create(as_of=now(), **row)
        with pytest.raises(IntegrityError), transaction.atomic():
            SnapshotKey.objects.create(as_of=now(), **row)


@pytest.mark.django_db
def test_wallet_shows_what_its_provider_calls_the_balance(world):
    main = world.mine.main
    tell(main, 77, "ledger-9")

    told = world.viewer.get(f"{V1}/wallets/{main.pk}/balance").json()

    assert (told["balance"], told["external_balance_id"]) == ("0.77", "ledger-9")
