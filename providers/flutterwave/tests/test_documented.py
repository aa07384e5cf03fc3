"""Every answer of the sandbox has the keys and the types of the documented one.

The documented answers, with where they stand, are in `samples/documented`.
"""

from __future__ import annotations

import pytest

from .conftest import TOKEN, documented

FORM = "application/x-www-form-urlencoded"


def shapes(value):
    """Return the form of a value: its keys and the types under them, rows together.

    A number is one with and without a fraction, as both stand in the samples.
    """
    if isinstance(value, dict):
        return {key: shapes(held) for key, held in value.items()}
    if isinstance(value, list):
        found = []
        for row in map(shapes, value):
            if row not in found:
                found.append(row)
        return found
    if isinstance(value, bool) or value is None:
        return repr(value)
    return "number" if isinstance(value, int | float) else "text"


def known(told, right):
    """Return the forms in `told` that the documentation does not show."""
    if isinstance(told, list) and isinstance(right, list):
        return [row for row in told if row not in right]
    if isinstance(told, dict) and isinstance(right, dict) and set(told) == set(right):
        inner = {key: known(told[key], right[key]) for key in told}
        return {key: odd for key, odd in inner.items() if odd}
    return [] if told == right else told


def odd(body, name):
    return known(shapes(body), shapes(documented(name)["body"]))


def test_comparison_sees_a_key_too_many_a_key_too_few_and_another_type():
    right = documented("v3_balances")["body"]
    row = right["data"][0]

    assert not odd({**right, "data": [row]}, "v3_balances")
    assert odd({**right, "more": 1}, "v3_balances")
    assert odd({"status": "success", "data": [row]}, "v3_balances")
    assert odd({**right, "data": [{**row, "id": 1}]}, "v3_balances")
    assert odd({**right, "data": [{**row, "ledger_balance": "1"}]}, "v3_balances")
    assert odd({**right, "data": [{"currency": "NGN"}]}, "v3_balances")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/v3/balances", "v3_balances"),
        ("/v3/balances/NGN", "v3_balance"),
        ("/v3/transactions?page=1", "v3_transactions"),
    ],
)
def test_version_3_answers_as_documented(alex, client, path, name):
    status, body = client(path, alex.credentials["secret_key"])

    assert (status, odd(body, name)) == (documented(name)["status"], {})


def test_transactions_of_every_state_are_as_documented(bank, alex, client):
    bank.spend(alex.account.external_id, 100)
    pages = [
        client(f"/v3/transactions?page={n}", alex.credentials["secret_key"])[1]
        for n in (1, 2)
    ]

    rows = [row for page in pages for row in page["data"]]
    assert {row["status"] for row in rows} == {"pending", "successful"}
    assert not odd({**pages[0], "data": rows}, "v3_transactions")


def test_version_4_answers_as_documented(nia, client):
    given = {n: nia.credentials[n] for n in ("client_id", "client_secret")}
    wish = {**given, "grant_type": "client_credentials"}

    status, told = client(TOKEN, kind=FORM, form=wish)

    assert (status, odd(told, "v4_token")) == (200, {})
    for path, name in (
        ("/v4/wallets/balances", "v4_balances"),
        ("/v4/wallets/balances/USD", "v4_balance"),
    ):
        status, body = client(path, told["access_token"])
        assert (status, odd(body, name)) == (200, {})


@pytest.mark.parametrize(
    ("path", "code", "name"),
    [
        ("/v3/balances", "authentication_failed", "v3_unauthorized"),
        ("/v3/balances", "unavailable", "v3_broken"),
        ("/v4/wallets/balances", "authentication_failed", "v4_unauthorized"),
    ],
)
def test_each_version_says_no_in_its_own_words(bank, client, path, code, name):
    bank.fault("refuse", code=code)

    assert client(path) == (documented(name)["status"], documented(name)["body"])


def test_what_nobody_knows_is_refused_in_the_words_of_its_version(bank, alex, client):
    key = alex.credentials["secret_key"]

    assert client("/v3/balances")[1] == documented("v3_unauthorized")["body"]
    assert (
        client("/v4/wallets/balances", key)[1] == documented("v4_unauthorized")["body"]
    )
    assert client("/v3/balances", key, kind="text/plain")[0] == 400
    assert client("/v3/balances?all=1", key)[0] == 400
    assert client("/v3/balances/ABC", key)[0] == 404
    assert client("/v3/nothing", key)[1]["status"] == "error"
    assert client("/v4/nothing", key)[1]["status"] == "failed"
