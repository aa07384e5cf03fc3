"""Transfers are made once, refused with a reason, remembered, and seen in the feed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from providers import errors
from providers.base import Place
from providers.money import Asset
from providers.sandbox.inside import sender
from providers.starling import Provider
from providers.starling.sandbox import Sandbox
from providers.wire import drive
from tests.providers.contract.parties import place

UID = "e67b6e7c-323f-4dfa-919a-5f835b28cfa0"


def wish(minor=1000, currency="GBP", **more):
    return {"amount": {"currency": currency, "minorUnits": minor}, **more}


@pytest.fixture
def path(alex):
    goals = f"/api/v2/account/{alex.account.external_id}/savings-goals"
    return f"{goals}/{alex.pots[0].external_id}/add-money/{UID}"


def test_same_transfer_again_is_answered_as_before_and_moves_nothing(
    bank, client, path
):
    first = client("PUT", path, wish())

    assert client("PUT", path, wish()) == first
    assert len(bank.moved(UID)) == 1


@pytest.mark.parametrize("other", [wish(999), wish(1001)])
def test_other_amount_under_a_used_id_is_refused(bank, client, path, other):
    client("PUT", path, wish())

    status, body = client("PUT", path, other)

    assert (status, body["success"]) == (200, False)
    assert [e.amount for e in bank.moved(UID)] == [1000]


def test_used_id_for_another_way_is_refused(bank, client, path):
    client("PUT", path, wish())

    assert not client("PUT", path.replace("add", "withdraw"), wish())[1]["success"]


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (wish(0), 400, "AMOUNT_MUST_BE_POSITIVE"),
        (wish(-1), 400, "AMOUNT_MUST_BE_POSITIVE"),
        (wish(1.0), 400, "AMOUNT_MUST_BE_POSITIVE"),
        (wish("1"), 400, "AMOUNT_MUST_BE_POSITIVE"),
        (wish(True), 400, "AMOUNT_MUST_BE_POSITIVE"),
        (wish(2**63), 400, "AMOUNT_MUST_BE_POSITIVE"),
        (wish(currency="EUR"), 400, "CURRENCY_MISMATCH"),
        (wish(reference="x" * 101), 400, "Unrecognised or wrong field"),
        (wish(dedupe_id="x"), 400, "Unrecognised or wrong field"),
        ({}, 400, "amount may not be null"),
        ({"amount": 5}, 400, "amount may not be null"),
        (b"amount=5", 400, "amount may not be null"),
    ],
)
def test_malformed_transfer_is_refused(bank, client, path, body, status, message):
    found = client("PUT", path, body)

    assert (found[0], found[1]["errors"]) == (status, [{"message": message}])
    assert bank.moved(UID) == []


def test_transfer_that_is_no_json_or_has_no_uuid_is_refused(client, path):
    assert client("PUT", path, wish(), kind="text/plain")[0] == 415
    assert client("PUT", path.replace(UID, "one"), wish())[0] == 404
    assert client("POST", path, wish())[0] == 405


def test_everybody_has_their_own_goals_only(bank, client, path):
    bea = bank.add_customers(["bea"])[0]
    token = bea.credentials["access_token"]

    assert client("PUT", path, wish(), token=token)[0] == 404
    other = f"/api/v2/account/{bea.account.external_id}"
    for end in ("/savings-goals", "/spaces"):
        assert client("GET", other + end)[0] == 404


def test_transfer_names_its_currency_or_is_not_sent():
    call = Provider({}).transfer(
        Place("a", "current"), Place("p", "pot", "a"), 1, dedupe_id="d"
    )

    with pytest.raises(errors.Refused):
        next(call)


def test_goal_id_cannot_leave_its_place_in_the_path():
    held = Asset("GBP", 2)
    ends = Place("a", "current", None, held), Place("../x?y", "pot", "a", held)
    call = Provider({}).transfer(*ends, 1, dedupe_id="d")

    assert "/savings-goals/..%2Fx%3Fy/add-money/" in next(call).path


def test_bank_that_is_started_again_remembers_transfers_by_their_id(tmp_path):
    first = Sandbox(tmp_path / "starling.jsonl")
    first.slug = "starling"
    alex = first.demo_world()
    ends = place(alex.account), place(alex.pots[0])
    adapter = Provider(alex.credentials)
    drive(adapter.transfer(*ends, 500, dedupe_id="one"), sender(adapter, first))
    held = first.balances()
    first.close()

    again = Sandbox(tmp_path / "starling.jsonl")
    again.slug = "starling"
    drive(adapter.transfer(*ends, 500, dedupe_id="one"), sender(adapter, again))
    assert again.balances() == held
    again.close()


def test_feed_shows_the_transfers_own_id(bank, alex, client, path, ask):
    client("PUT", path, wish())
    account = place(alex.account)

    (found,) = ask(
        lambda a: a.movements_between(
            account, place(alex.pots[0]), since=bank.clock.now()
        )
    )

    assert (found.external_id, found.amount) == (UID, -1000)


def test_feed_of_a_goal_is_the_other_side(bank, alex, client, path, ask):
    client("PUT", path, wish())
    now = bank.clock.now()

    history = ask(
        lambda a: a.movements(
            place(alex.pots[0]), "", now=now, since=now - timedelta(days=1)
        )
    )

    assert [m.amount for m in history.movements] == [1000]


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"minTransactionTimestamp": "2026-01-01T00:00:00Z"},
        {
            "minTransactionTimestamp": "2026-01-01",
            "maxTransactionTimestamp": "2026-01-02T00:00:00Z",
        },
        {
            "minTransactionTimestamp": "2024-06-01T00:00:00Z",
            "maxTransactionTimestamp": "2026-01-01T00:00:00Z",
        },
    ],
)
def test_feed_is_told_for_a_year_at_most(alex, client, query):
    account = alex.account.external_id
    category = client("GET", "/api/v2/accounts")[1]["accounts"][0]["defaultCategory"]
    feed = f"/api/v2/feed/account/{account}/category/{category}"

    assert client("GET", f"{feed}/transactions-between", **query)[0] == 400
    assert client("GET", feed)[0] == 400
    assert client("GET", feed, changesSince="2024-12-01T00:00:00Z")[0] == 400
