"""A client of the documentation: each answer has the documented keys and types."""

from __future__ import annotations

import json

import pytest

from providers.sandbox.documented import breaks, unlike

from .conftest import documented

EXAMPLES, SCHEMAS = documented("examples"), documented("schemas")["schemas"]
ANSWERS = EXAMPLES["answers"]


def mine(alex):
    return {"businessID": alex.credentials["business_id"]}


def test_wallets_are_as_documented(alex, client):
    status, answer = client("GET", "/wallets", **mine(alex))

    assert status == 200
    assert len(answer["data"]) == 5
    assert list(unlike(answer, ANSWERS["GET /wallets"])) == []


def test_one_wallet_is_as_documented(alex, client):
    status, answer = client("GET", f"/wallets/{alex.account.external_id}")

    assert status == 200
    assert list(unlike([answer["data"]], ANSWERS["GET /wallets"]["data"])) == []
    assert client("GET", "/wallets/1") == (404, ANSWERS["GET /wallets/{walletID} 404"])


def test_log_is_as_documented(alex, client):
    status, answer = client("GET", "/wallets/logs", perPage=4)

    assert status == 200
    assert (len(answer["data"]["results"]), answer["data"]["total"]) == (4, 6)
    assert list(breaks(answer, SCHEMAS["GetWalletLogs"])) == []


def test_business_is_as_documented(client):
    status, answer = client("GET", "/profile/business/me")

    assert status == 200
    assert list(unlike(answer, ANSWERS["GET /profile/business/me"])) == []


def test_payout_is_as_documented_and_its_reference_used_up(client, payout):
    status, answer = client("POST", "/disbursements/payouts", payout())
    assert status == 200
    assert list(unlike(answer, ANSWERS["POST /disbursements/payouts"])) == []

    again = client("POST", "/disbursements/payouts", payout(amount="1"))
    assert again == (422, ANSWERS["POST /disbursements/payouts 422"])


def test_refusals_are_as_documented(alex, client):
    assert client("GET", "/wallets") == (
        422,
        ANSWERS["GET /wallets 422 without businessID"],
    )
    assert client("GET", "/wallets", businessID="1") == (
        422,
        ANSWERS["GET /wallets 422 with another length"],
    )
    stranger = client("GET", "/wallets", businessID="0" * 24)
    assert stranger == (404, ANSWERS["GET /wallets 404"])
    keyless = client("GET", "/wallets", headers={"accept": "*/*"}, **mine(alex))
    assert keyless == (401, ANSWERS["401"])


@pytest.mark.parametrize(
    "code",
    ["authentication_failed", "consent_needed", "rate_limited", "refused"],
)
def test_every_refusal_has_the_documented_keys(bank, client, code):
    bank.fault("refuse", code=code)

    status, answer = client("GET", "/profile/business/me")

    form = "GatewayAuthError" if status == 401 else "ApplicationError"
    assert list(breaks(answer, SCHEMAS[form])) == []


def told(bank):
    return json.loads(bank.outbox.pop().body)


def test_collection_is_told_as_documented(bank, alex):
    bank.do("hook", url="http://127.0.0.1:1/")
    bank.pay(alex.account.external_id, 20050)

    event = told(bank)

    assert list(unlike(event, EXAMPLES["events"]["collection.successful"])) == []
    assert event["data"]["amountReceived"] == 20050 / (
        1 if bank.scale == "minor" else 100
    )


@pytest.mark.parametrize("status", ["successful", "failed"])
def test_end_of_a_payout_is_told_as_documented(bank, client, payout, status):
    bank.do("hook", url="http://127.0.0.1:1/")
    made = client("POST", "/disbursements/payouts", payout())[1]["data"]
    assert not bank.outbox
    bank.do("conclude", reference=made["reference"], status=status)

    event = told(bank)

    assert list(unlike(event, EXAMPLES["events"][f"payout.{status}"])) == []
    assert (event["event"], event["data"]["status"]) == (f"payout.{status}", status)
