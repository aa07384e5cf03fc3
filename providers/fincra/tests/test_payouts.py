"""Payouts at the sandbox: available falls first, the ledger at the end, once."""

from __future__ import annotations

import pytest

from providers.fincra.sandbox import Sandbox

PATH = "/disbursements/payouts"


@pytest.fixture
def sent(bank):
    """Return minor units in the unit that is set, as a payout names them."""
    return lambda minor: minor if bank.scale == "minor" else minor / 100


@pytest.fixture
def seen(alex, ask):
    def seen():
        found = {r.external_id: r for r in ask(lambda p: p.observe()).readings}
        reading = found[alex.account.external_id]
        return reading.total, reading.available, reading.held

    return seen


def test_available_falls_first_and_the_ledger_when_it_is_completed(
    bank, client, payout, seen, sent
):
    total, available, held = seen()
    assert (available, held) == (total, 0)

    made = client("POST", PATH, payout(amount=sent(2050)))[1]["data"]
    assert seen() == (total, total - 2050, 2050)

    bank.do("conclude", reference=made["reference"])
    assert seen() == (total - 2050, total - 2050, 0)


def test_failed_payout_is_available_again(bank, client, payout, seen, sent):
    before = seen()
    made = client("POST", PATH, payout(amount=sent(2050)))[1]["data"]
    bank.do("conclude", reference=made["reference"], status="failed")

    assert seen() == before
    with pytest.raises(ValueError, match="cannot become"):
        bank.do("conclude", reference=made["reference"])


def test_retry_of_an_accepted_payout_is_refused_and_can_be_looked_up(
    bank, alex, client, payout, seen
):
    bank.fault("act_then_500", method="POST")
    assert client("POST", PATH, payout())[0] == 500
    locked = seen()

    status, answer = client("POST", PATH, payout())

    assert (status, answer["errorType"]) == (422, "DUPLICATE_CUSTOMER_REFERENCE")
    assert seen() == locked
    found = client("GET", f"{PATH}/customer-reference/b67vfv")[1]["data"]
    assert found["status"] == "processing"
    same = client("GET", f"{PATH}/reference/{found['reference']}")[1]["data"]
    assert same == found


def test_payouts_without_a_reference_of_ones_own_are_two(client, payout, seen, sent):
    total = seen()[0]
    for _ in range(2):
        wish = payout(amount=sent(100))
        del wish["customerReference"]
        assert client("POST", PATH, wish)[0] == 200

    assert seen() == (total, total - 200, 200)


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"amount": "0"}, "VALIDATION_FAILED"),
        ({"amount": "-5"}, "VALIDATION_FAILED"),
        ({"amount": "1e3"}, "VALIDATION_FAILED"),
        ({"amount": 1.005}, "VALIDATION_FAILED"),
        ({"amount": True}, "VALIDATION_FAILED"),
        ({"amount": "999999999999"}, "NO_ENOUGH_MONEY_IN_WALLET"),
        ({"business": "0" * 24}, "RESOURCE_NOT_FOUND"),
        ({"destinationCurrency": "GBP"}, "UNPROCESSABLE_ENTITY"),
        ({"sourceCurrency": "ZAR"}, "UNPROCESSABLE_ENTITY"),
        ({"paymentDestination": "pigeon"}, "UNPROCESSABLE_ENTITY"),
        ({"beneficiary": {"type": "individual"}}, "VALIDATION_FAILED"),
        ({"beneficiary": "john"}, "VALIDATION_FAILED"),
        ({"description": ""}, "VALIDATION_FAILED"),
        ({"more": 1}, "VALIDATION_FAILED"),
    ],
)
def test_malformed_payout_is_refused(bank, client, payout, change, kind):
    before = bank.balances()

    status, answer = client("POST", PATH, payout(**change))

    assert (status, answer["errorType"]) == (
        404 if kind == "RESOURCE_NOT_FOUND" else 422,
        kind,
    )
    assert bank.balances() == before


def test_what_others_do_is_not_there(bank, client, payout):
    made = client("POST", PATH, payout())[1]["data"]
    (bea,) = bank.add_customers(["bea"])
    key = {"api-key": bea.credentials["api_key"]}

    for path in (f"reference/{made['reference']}", "customer-reference/b67vfv"):
        assert client("GET", f"{PATH}/{path}", headers=key)[0] == 404
    assert client("POST", PATH, payout(), headers=key)[0] == 404


@pytest.mark.parametrize(
    "query", [{"perPage": "0"}, {"perPage": "101"}, {"page": "x"}, {"more": "1"}]
)
def test_odd_parameters_of_the_log_are_refused(client, query):
    assert (
        client("GET", "/wallets/logs", **query)[1]["errorType"] == "VALIDATION_FAILED"
    )


@pytest.mark.parametrize(
    "headers",
    [
        {"api-key": ""},
        {"api-key": "other"},
        {"authorization": "Bearer x"},
        {"x-pub-key": "x"},
    ],
)
def test_nothing_is_told_without_the_key(alex, client, headers):
    for path in ("/wallets", "/wallets/logs", "/wallets/1", "/profile/business/me"):
        assert client("GET", path, headers=headers)[0] == 401


def test_nothing_is_forgotten_when_it_starts_again(tmp_path, payout):
    first = Sandbox(tmp_path / "fincra.jsonl")
    alex = first.demo_world()
    first.do("stir")
    first.keep_back(alex.account.external_id, 500, "payout initiated")
    first.do("rotate_key")
    told = first.figures(alex.account.external_id), first.customer("alex")
    first.close()

    again = Sandbox(tmp_path / "fincra.jsonl")

    assert (again.figures(alex.account.external_id), again.customer("alex")) == told
    assert told[0]["locked"] == 500
    again.close()
