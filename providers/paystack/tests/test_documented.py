"""A client of the documentation: each answer has the documented keys and types."""

from __future__ import annotations

import json

import pytest

from providers.sandbox.documented import breaks, unlike

from .conftest import documented

EXAMPLES, SCHEMAS = documented("examples"), documented("schemas")["schemas"]


def check(answer, example, schema=""):
    assert list(unlike(answer, EXAMPLES["answers"][example])) == []
    if schema:
        assert list(breaks(answer, SCHEMAS[schema])) == []


def test_balances_are_as_documented(client):
    status, answer = client("GET", "/balance")

    assert status == 200
    assert len(answer["data"]) == 4
    check(answer, "GET /balance", "BalanceCheckResponse")


def test_ledger_is_as_documented(client):
    status, answer = client("GET", "/balance/ledger", perPage=3, page=2)

    assert status == 200
    assert len(answer["data"]) == 3
    check(answer, "GET /balance/ledger", "BalanceFetchLedgerResponse")


def test_recipient_is_as_documented_and_can_be_paid(client, transfer):
    wish = {"type": "nuban", "name": "Ada", "account_number": "1", "bank_code": "058"}
    status, answer = client("POST", "/transferrecipient", wish)

    assert status == 201
    assert list(breaks(answer, SCHEMAS["TransferRecipientCreateResponse"])) == []
    code = answer["data"]["recipient_code"]
    assert client("POST", "/transfer", transfer(recipient=code))[0] == 200
    for field in wish:
        assert client("POST", "/transferrecipient", wish | {field: ""})[0] == 400


def test_transfer_is_as_documented(client, transfer):
    status, answer = client("POST", "/transfer", transfer())

    assert status == 200
    check(answer, "POST /transfer", "TransferCreateResponse")


def test_transfer_that_is_looked_up_is_as_documented(client, transfer):
    wish = transfer()
    code = client("POST", "/transfer", wish)[1]["data"]["transfer_code"]

    for path in (f"/transfer/verify/{wish['reference']}", f"/transfer/{code}"):
        status, answer = client("GET", path)
        assert status == 200
        check(answer, "GET /transfer/verify")


def test_refusals_are_as_documented(client, transfer):
    status, refused = client("POST", "/transfer", transfer(recipient="RCP_nobody"))
    assert (status, refused) == (400, EXAMPLES["answers"]["POST /transfer 400"])

    missing = client("GET", "/transfer/verify/acv_0000000000000")
    assert missing == (404, EXAMPLES["answers"]["GET /transfer/verify 404"])

    assert client("GET", "/balance", key="sk_test_no") == (
        401,
        {"status": False, "message": "Invalid key"},
    )


@pytest.mark.parametrize("code", ["authentication_failed", "rate_limited", "refused"])
def test_every_refusal_has_the_documented_keys(bank, client, code):
    bank.fault("refuse", code=code)

    answer = client("GET", "/balance")[1]

    schema = SCHEMAS["Error"]["properties"] | {"code": {"type": "string"}}
    assert list(breaks(answer, {"type": "object", "properties": schema})) == []


def told(bank):
    return json.loads(bank.outbox.pop().body)


def test_charge_is_told_as_documented(bank, alex):
    bank.do("hook", url="http://127.0.0.1:1/")
    bank.pay(alex.account.external_id, 10000)

    assert list(unlike(told(bank), EXAMPLES["events"]["charge.success"])) == []


@pytest.mark.parametrize("status", ["success", "failed", "reversed"])
def test_end_of_a_transfer_is_told_as_documented(bank, client, transfer, status):
    bank.do("hook", url="http://127.0.0.1:1/")
    client("POST", "/transfer", transfer())
    bank.do("conclude", reference=transfer()["reference"], status=status)

    event = told(bank)

    assert list(unlike(event, EXAMPLES["events"]["transfer.success"])) == []
    assert (event["event"], event["data"]["status"]) == (f"transfer.{status}", status)
    assert not bank.outbox


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        (lambda a: a["data"][0].update(more=1), "answer.data[0].more is too much"),
        (lambda a: a["data"][0].pop("currency"), "answer.data[0].currency is missing"),
        (
            lambda a: a["data"][0].update(balance="1700000"),
            "answer.data[0].balance is string, documented",
        ),
        (lambda a: a.update(status=1), "answer.status is"),
        (lambda a: a.update(message=None), "answer.message is null"),
    ],
)
def test_comparison_finds_what_differs(client, change, wrong):
    answer = client("GET", "/balance")[1]
    change(answer)

    for found in (
        unlike(answer, EXAMPLES["answers"]["GET /balance"]),
        breaks(answer, SCHEMAS["BalanceCheckResponse"]),
    ):
        (difference,) = found
        assert difference.startswith(wrong)
