"""From credentials to a balance that can be trusted, and what is shown when it cannot."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils.timezone import now

from accounts.models import Balance, BalanceSnapshot, Connection
from tests.fixtures_api import cash_slug

from .conftest import gbp

pytestmark = pytest.mark.django_db(transaction=True)


def test_credentials_are_tried_and_never_shown(alice, at_bank):
    found = alice.post(f"{at_bank.path}test/")

    assert found["ok"] is True
    assert found["accounts"] >= 4
    shown = str(alice.get(at_bank.path))
    secrets = [v for k, v in at_bank.customer.credentials.items() if k != "client_id"]
    assert not [value for value in secrets if value in shown]


def test_wrong_credentials_are_said_to_be_wrong(alice, at_bank):
    wrong = {k: "wrong" for k in at_bank.customer.credentials if "token" in k}
    answer = alice.client.patch(
        f"/api/v1{at_bank.path}", {"credentials": wrong}, format="json"
    )
    assert answer.status_code == 200

    found = alice.post(f"{at_bank.path}test/")

    assert (found["ok"], found["error_code"]) == (False, "authentication_failed")


def test_a_sync_finds_the_account_and_its_pots_with_the_banks_balances(known):
    rows = known.accounts()
    main = rows[known.customer.account.external_id]
    pots = [rows[pot.external_id] for pot in known.customer.pots]

    assert main["parent"] is None
    assert {pot["parent"] for pot in pots} == {main["id"]}
    assert known.agrees()


def test_a_sync_run_tells_what_it_did(known):
    run = known.sync()

    assert (run["status"], run["kind"]) == ("ok", "manual")
    assert {row["status"] for row in run["results"]} == {"ok"}


def forget_everything_read() -> None:
    """Leave neither balances nor history, which only retention may shorten."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL balsync.retention = 'on'")
        BalanceSnapshot.objects.all().delete()
        Balance.objects.all().delete()


def test_an_unknown_balance_is_null_and_becomes_known_by_waiting(alice, known):
    account = known.account(known.customer.account)
    forget_everything_read()
    Connection.objects.update(last_sync_at=None)

    first = alice.get(f"/accounts/{account}/balance/", status=202)
    assert (first["status"], first["total"]) == ("unknown", None)

    then = alice.get(f"/accounts/{account}/balance/", wait=5)
    assert (then["status"], then["total"]["minor"]) == ("ok", "100000")


def test_a_balance_that_did_not_change_is_304(alice, known):
    path = f"/accounts/{known.account(known.customer.account)}/balance/"
    first = alice.client.get(f"/api/v1{path}")
    tag = {"If-None-Match": first.headers["ETag"]}

    assert alice.get(path, status=304, headers=tag).content == b""

    known.bank.spend(known.customer.account.external_id, 1)
    known.sync()
    changed = alice.get(path, headers=tag).json()
    assert changed["total"]["minor"] == "99999"


def test_an_old_balance_is_stale_and_asking_for_it_refreshes_it(alice, known):
    path = f"/accounts/{known.account(known.customer.account)}/balance/"
    hour_ago = now() - timedelta(hours=1)
    Balance.objects.update(as_of=hour_ago, fetched_at=hour_ago)
    Connection.objects.update(last_sync_at=hour_ago)
    known.bank.spend(known.customer.account.external_id, 50_00)

    answer = alice.get(path, max_age=60, wait=5)

    assert (answer["stale"], answer["source"]) == (False, "live")
    assert answer["total"]["minor"] == "95000"


def test_a_bank_that_is_away_leaves_the_last_balance_and_its_age(alice, known):
    path = f"/accounts/{known.account(known.customer.account)}/balance/"
    hour_ago = now() - timedelta(hours=1)
    Balance.objects.update(as_of=hour_ago, fetched_at=hour_ago)
    known.bank.fault("drop_before", times=None)
    known.sync()

    answer = alice.get(path)

    assert (answer["stale"], answer["total"]["minor"]) == (True, "100000")
    assert answer["age_seconds"] >= 3600
    assert alice.get(known.path)["health"] == "failing"


def test_a_snapshot_of_a_bank_account_is_read_at_the_bank(alice, known):
    account = known.account(known.customer.account)
    known.bank.spend(known.customer.account.external_id, 25_00)

    taken = alice.post(f"/accounts/{account}/snapshots/", status=201, key="now")

    assert taken["total"]["minor"] == "97500"
    again = alice.post(f"/accounts/{account}/snapshots/", status=201, key="now")
    assert again == taken
    assert alice.rows(f"/accounts/{account}/snapshots/")[0]["id"] == taken["id"]


def test_a_bank_account_cannot_be_counted_by_hand(alice, known):
    account = known.account(known.customer.account)

    alice.post(f"/accounts/{account}/snapshots/", {"total": gbp(1)}, status=400)

    assert known.agrees()


def test_cash_is_counted_by_a_person(alice, workspace):
    told = {"provider": cash_slug(), "label": "Purse"}
    connection = alice.post("/connections/", told, 201)
    told = {"connection": connection["id"], "name": "Purse", "asset": "GBP/2"}
    account = alice.post("/accounts/", told, 201)["id"]
    path = f"/accounts/{account}/"
    assert alice.get(f"{path}balance/", status=202)["total"] is None

    for count in (20_00, 15_50):
        alice.post(f"{path}snapshots/", {"total": gbp(count)}, status=201)

    answer = alice.get(f"{path}balance/")
    assert (answer["total"]["minor"], answer["source"]) == ("1550", "manual")
    history = alice.rows(f"{path}snapshots/")
    assert [row["total"]["minor"] for row in history] == ["1550", "2000"]


def test_transactions_are_what_the_bank_reports(alice, known):
    account = known.customer.account
    known.bank.spend(account.external_id, 12_34, description="Groceries")
    known.sync()

    newest = alice.rows("/transactions/", account=known.account(account))[0]

    assert newest["money"]["minor"] == "-1234"
    assert newest["description"] == "Groceries"


def test_figures_of_the_bank_that_disagree_are_shown_and_end_when_they_agree(
    alice, known
):
    wrong = {"path": "/balance", "value": {"total_balance": 1}}
    known.bank.fault("replace", times=None, **wrong)
    known.sync()
    known.sync()

    (found,) = alice.rows("/discrepancies/")
    assert found["account"] == known.account(known.customer.account)
    assert (found["status"], found["severity"]) == ("open", "critical")
    assert found["expected"]["minor"] == "1"
    assert known.agrees()

    known.bank.calm()
    known.sync()
    (after,) = alice.rows("/discrepancies/")
    assert after["status"] == "resolved"


def test_a_discrepancy_that_a_person_accepts_is_open_no_more(alice, known):
    known.bank.fault("replace", times=None, path="/balance", value={"total_balance": 1})
    known.sync()
    (found,) = alice.rows("/discrepancies/")

    accepted = alice.post(f"/discrepancies/{found['id']}/accept/", key="seen")

    assert accepted["status"] == "accepted"
    known.sync()
    assert [row["status"] for row in alice.rows("/discrepancies/")] == ["accepted"]
