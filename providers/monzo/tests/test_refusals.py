"""The bank on this machine refuses what the real one would refuse."""

from __future__ import annotations

import json
from urllib.parse import parse_qs

import pytest
import requests

from providers import sandbox
from providers.monzo import Provider
from providers.sandbox.inside import sender
from providers.sandbox.wire import Asked
from providers.wire import drive

FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"amount": "0"}, 400, "bad_request.bad_param.amount"),
        ({"amount": "-1"}, 400, "bad_request.bad_param.amount"),
        ({"amount": "1.00"}, 400, "bad_request.bad_param.amount"),
        ({"amount": "1_0"}, 400, "bad_request.bad_param.amount"),
        ({"amount": "١"}, 400, "bad_request.bad_param.amount"),
        ({"amount": str(2**63)}, 400, "bad_request.bad_param.amount"),
        ({"amount": ""}, 400, "bad_request.missing_param.amount"),
        ({"dedupe_id": ""}, 400, "bad_request.missing_param.dedupe_id"),
        ({"amount": "150001"}, 400, "bad_request.insufficient_funds"),
        ({"source_account_id": "acc_other"}, 404, "not_found.account"),
        (
            {"source_account_id": ""},
            400,
            "bad_request.missing_param.source_account_id",
        ),
    ],
)
def test_malformed_deposit_is_refused(bank, alex, client, change, status, code):
    form = {
        "source_account_id": alex.account.external_id,
        "amount": "100",
        "dedupe_id": "one",
    }
    path = f"/pots/{alex.pots[0].external_id}/deposit"

    found = client("PUT", path, {**form, **change})

    assert (found[0], found[1]["code"]) == (status, code)
    assert bank.moved("one") == []


def test_deposit_in_json_is_refused(bank, alex, client):
    form = {
        "source_account_id": alex.account.external_id,
        "amount": 100,
        "dedupe_id": "one",
    }
    path, body = f"/pots/{alex.pots[0].external_id}/deposit", json.dumps(form).encode()

    assert client("PUT", path, body, kind="application/json")[0] == 400
    assert client("PUT", path, body)[0] == 400


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/accounts", 405),
        ("GET", "/pots/pot_1/deposit", 405),
        ("POST", "/pots/pot_1/withdraw", 405),
        ("GET", "/nothing", 404),
        ("GET", "/accounts/", 404),
        ("PUT", "/pots/pot_none/deposit", 404),
    ],
)
def test_wrong_paths_and_methods_are_refused(alex, client, method, path, status):
    form = {
        "source_account_id": alex.account.external_id,
        "amount": 1,
        "dedupe_id": "d",
    }

    assert client(method, path, form if path.count("/") > 1 else None)[0] == status


@pytest.mark.parametrize("path", ["/accounts", "/balance", "/pots", "/transactions"])
def test_nothing_is_told_without_a_token(bank, client, path):
    assert client("GET", path, token="nonsense")[0] == 401
    assert bank.answer(Asked("GET", path)).status == 401


def test_other_peoples_accounts_are_not_there(bank, client):
    bea = bank.add_customers(["bea"])[0].account.external_id

    for path, name in (
        ("/balance", "account_id"),
        ("/pots", "current_account_id"),
        ("/transactions", "account_id"),
    ):
        assert client("GET", path, **{name: bea})[0] == 404
        assert client("GET", path)[0] == 400


@pytest.mark.parametrize("limit", ["0", "101", "-1", "x", ""])
def test_pages_have_at_most_a_hundred(alex, client, limit):
    wish = {"account_id": alex.account.external_id, "since": "2026-01-30T00:00:00Z"}

    assert client("GET", "/transactions", **wish, limit=limit)[0] == 400


def test_pages_have_thirty_unless_asked(bank, alex, client):
    account = alex.account.external_id
    for _ in range(40):
        bank.pay(account, 1)
    wish = {"account_id": account, "since": "2026-01-30T00:00:00Z"}

    assert len(client("GET", "/transactions", **wish)[1]["transactions"]) == 30


def test_one_transaction_can_be_fetched_by_its_owner_only(bank, alex, client):
    entry = bank.spend(alex.account.external_id, 5, merchant="Café")
    bea = bank.add_customers(["bea"])[0].credentials["access_token"]

    plain = client("GET", f"/transactions/{entry.id}")[1]["transaction"]
    whole = client("GET", f"/transactions/{entry.id}", **{"expand[]": "merchant"})
    assert isinstance(plain["merchant"], str)
    assert whole[1]["transaction"]["merchant"]["name"] == "Café"
    assert client("GET", f"/transactions/{entry.id}", token=bea)[0] == 404


def test_webhooks_are_kept_until_they_are_deleted(alex, client):
    account = alex.account.external_id
    form = {"account_id": account, "url": "https://example.com/hook"}

    made = client("POST", "/webhooks", form)[1]["webhook"]
    assert client("GET", "/webhooks", account_id=account)[1] == {"webhooks": [made]}
    assert client("DELETE", f"/webhooks/{made['id']}") == (200, {})
    assert client("GET", "/webhooks", account_id=account)[1] == {"webhooks": []}


def test_person_can_press_the_button_in_a_browser():
    with sandbox.serve("monzo") as box:
        adapter = Provider(box["monzo"].credentials(), box.hosts("monzo"))
        url = adapter.authorization_url("http://127.0.0.1:1/back", "s")
        assert requests.get(url, timeout=5).status_code == 200
        form = {k: v[0] for k, v in parse_qs(url.partition("?")[2]).items()}
        pressed = requests.post(
            box.hosts("monzo")["auth"] + "/approve",
            data={**form, "name": "alex"},
            allow_redirects=False,
            timeout=5,
        )

    assert pressed.status_code == 302
    assert pressed.headers["Location"].startswith("http://127.0.0.1:1/back?code=")


def test_couple_shares_an_account_with_its_pots(bank):
    ann, bob = bank.add_customers(["ann", "bob"], joint=True, pots=1)
    seen = []
    for person in (ann, bob):
        adapter = Provider(person.credentials)
        readings = drive(adapter.observe(), sender(adapter, bank)).readings
        seen.append({r.external_id for r in readings})

    shared = seen[0] & seen[1]
    assert len(shared) == 2
    assert seen[0] - shared
    assert not (seen[0] - shared) & (seen[1] - shared)
