"""Paystack on this machine refuses what the real one would refuse, and pays out once."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from providers.paystack.sandbox import Sandbox
from providers.sandbox.wire import Asked


def test_nothing_is_told_without_a_key(bank, alex, client):
    for path in ("/balance", "/balance/ledger", "/transfer/verify/abc"):
        assert bank.answer(Asked("GET", path)).status == 401
        assert client("GET", path, key="sk_test_other")[0] == 401
        key = alex.credentials["secret_key"]
        basic = Asked("GET", path, "", {"authorization": f"Basic {key}"})
        assert bank.answer(basic).status == 401


@pytest.mark.parametrize(
    "query",
    [
        {"perPage": "0"},
        {"perPage": "x"},
        {"page": "-1"},
        {"from": "yesterday"},
        {"perpage": "5"},
        {"currency": "NGN"},
    ],
)
def test_odd_parameters_of_the_ledger_are_refused(client, query):
    status, answer = client("GET", "/balance/ledger", **query)

    assert (status, answer["type"]) == (400, "validation_error")


def test_pages_have_fifty_unless_asked_and_a_hundred_at_most(bank, alex, client):
    for _ in range(120):
        bank.pay(alex.account.external_id, 1)

    def size(**wish):
        answer = client("GET", "/balance/ledger", **wish)[1]
        assert answer["meta"]["total"] == 128
        return len(answer["data"]), answer["meta"]["pageCount"]

    assert size() == (50, 3)
    assert size(perPage=1000) == (100, 2)
    assert size(perPage=100, page=2) == (28, 2)
    assert size(perPage=100, page=3) == (0, 2)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"amount": 0}, "missing_params"),
        ({"amount": -1}, "invalid_params"),
        ({"amount": 1.5}, "invalid_params"),
        ({"amount": "100"}, "invalid_params"),
        ({"amount": 10**14}, "insufficient_balance"),
        ({"reference": ""}, "missing_params"),
        ({"reference": "short"}, "invalid_params"),
        ({"reference": "UPPERCASE-REFERENCE"}, "invalid_params"),
        ({"source": "card"}, "invalid_params"),
        ({"currency": "EUR"}, "invalid_params"),
        ({"more": 1}, "invalid_params"),
    ],
)
def test_malformed_transfer_is_refused(bank, client, transfer, changes, code):
    before = bank.balances()

    status, answer = client("POST", "/transfer", transfer(**changes))

    assert (status, answer["code"]) == (400, code)
    assert bank.balances() == before


def test_transfer_takes_the_money_once_while_it_is_not_concluded(
    bank, alex, client, transfer
):
    wallet = alex.account.external_id
    before = bank.balance(wallet)
    form = urlencode(transfer()).encode()

    told = [
        client("POST", "/transfer", transfer()),
        client("POST", "/transfer", form, kind="application/x-www-form-urlencoded"),
        client("POST", "/transfer", transfer(amount=999)),
    ]

    assert [status for status, _ in told] == [200, 200, 200]
    assert len({answer["data"]["transfer_code"] for _, answer in told}) == 1
    assert bank.balance(wallet) == before - 100000
    newest = client("GET", "/balance/ledger", perPage=1)[1]["data"][0]
    assert (newest["difference"], newest["balance"]) == (-100000, before - 100000)
    assert newest["model_responsible"] == "Transfer"


@pytest.mark.parametrize("status", ["success", "failed", "reversed", "blocked"])
def test_reference_of_a_concluded_transfer_is_used_up(
    bank, alex, client, transfer, status
):
    before = bank.balance(alex.account.external_id)
    client("POST", "/transfer", transfer())
    bank.do("conclude", reference=transfer()["reference"], status=status)

    code, answer = client("POST", "/transfer", transfer())

    assert (code, answer["code"]) == (400, "duplicate_transfer_reference")
    left = 100000 if status == "success" else 0
    assert bank.balance(alex.account.external_id) == before - left
    found = client("GET", f"/transfer/verify/{transfer()['reference']}")[1]
    assert found["data"]["status"] == status


def test_what_others_do_is_not_there(bank, client, transfer):
    client("POST", "/transfer", transfer())
    key = bank.add_customers(["bea"])[0].credentials["secret_key"]

    path = f"/transfer/verify/{transfer()['reference']}"
    assert client("GET", path, key=key)[0] == 404
    assert client("POST", "/transfer", transfer(), key=key)[0] == 400
    assert (
        client("GET", "/balance/ledger", key=key)[1]["data"][0]["integration"] == 463440
    )


def test_nothing_is_forgotten_when_it_starts_again(tmp_path):
    first = Sandbox(tmp_path / "paystack.jsonl")
    alex = first.demo_world()
    first.do("stir")
    first.do("roll_key")
    told = first.balances(), first.customer("alex")
    first.close()

    again = Sandbox(tmp_path / "paystack.jsonl")

    assert (again.balances(), again.customer("alex")) == told
    assert again.customer("alex") != alex
    again.close()
