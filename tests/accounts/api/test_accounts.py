"""Accounts, and the lists of what happened to them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from accounts.models import Account, Correction, Discrepancy, SyncRun, Transaction
from tests.fixtures_api import (
    ASSET,
    NOON,
    V1,
    absent,
    account,
    bank_slug,
    expect_problem,
    fields_of,
)


def names(world, **query) -> set[str]:
    answer = world.viewer.get(f"{V1}/accounts/", query)
    assert answer.status_code == 200, answer.content
    return {row["name"] for row in answer.json()["results"]}


def path(row) -> str:
    return f"{V1}/accounts/{row.pk}/"


def test_account_shows_what_it_holds_and_null_where_nothing_is_known(world):
    main, cash = (
        world.viewer.get(path(row)).json() for row in (world.mine.main, world.mine.cash)
    )

    assert main["balance"]["total"]["amount"] == "1000.00"
    assert cash["balance"] is None
    assert main["goal"] is None


def test_filters_narrow_the_list(world):
    mine = world.mine
    Account.objects.filter(pk=mine.pot.pk).update(role="proxy", active=False)

    assert names(world, parent=mine.main.pk) == {"Rent"}
    assert names(world, kind="pot") == {"Rent"}
    assert names(world, role="proxy") == {"Rent"}
    assert names(world, active="false") == {"Rent"}
    assert names(world, active="true") == {"Main", "Cash"}
    assert names(world, provider=bank_slug()) == {"Main", "Rent"}
    assert names(world, connection=mine.connection.pk) == {"Main", "Rent"}
    assert names(world, asset="EUR/2") == set()
    assert names(world, workspace=mine.workspace.pk) == {"Main", "Rent", "Cash"}


def test_filter_by_a_foreign_object_finds_nothing(world):
    assert names(world, connection=world.theirs.connection.pk) == set()
    assert names(world, workspace=world.theirs.workspace.pk) == set()


@pytest.mark.parametrize(
    ("route", "query"),
    [
        ("accounts", {"active": "yes"}),
        ("accounts", {"active": "True"}),
        ("accounts", {"parent": "x"}),
        ("accounts", {"parent": "0" * 32}),
        ("transactions", {"account": "{" + "0" * 8 + "}"}),
        ("transactions", {"since": "today"}),
        ("transactions", {"until": "2026-01-01"}),
        ("corrections", {"severity": "loud"}),
        ("sync-runs", {"kind": "odd"}),
        ("discrepancies", {"status": "odd"}),
        ("accounts", {"cursor": "x"}),
        ("accounts", {"cursor": "cD1ub3QtYS1kYXRl"}),  # p=not-a-date
        ("accounts", {"cursor": "bz0tMQ=="}),  # o=-1
        ("accounts", {"page_size": "0"}),
        ("accounts", {"page_size": "201"}),
        ("accounts", {"page_size": "1_0"}),
        ("accounts", {"page_size": "٣"}),
        ("accounts", {"page_size": ""}),
    ],
)
def test_odd_parameters_are_400(world, route, query):
    expect_problem(world.viewer.get(f"{V1}/{route}/", query), 400)


def test_pages_cover_everything_once(world):
    for number in range(7):
        account(world.mine.connection, f"Pot {number}", number)
    seen, link = [], f"{V1}/accounts/?page_size=3"
    while link:
        told = world.viewer.get(link).json()
        assert set(told) == {"next", "previous", "results"}
        seen += [row["id"] for row in told["results"]]
        link = told["next"]

    assert len(seen) == len(set(seen)) == 10


def test_list_takes_as_many_queries_for_many_as_for_one(
    world, django_assert_max_num_queries
):
    for number in range(40):
        account(world.mine.connection, f"Pot {number}", number, goal=number)
    with django_assert_max_num_queries(4):
        assert len(names(world)) == 43


def test_patch_changes_what_is_for_people(world):
    body = {
        "name": "Rent pot",
        "category": "bills",
        "role": "proxy",
        "goal": {"asset": ASSET, "amount": "250.00"},
        "active": False,
    }

    answer = world.admin.patch(path(world.mine.pot), body)

    told = answer.json()
    assert told["goal"] == {"asset": ASSET, "minor": "25000", "amount": "250.00"}
    assert {name: told[name] for name in body if name != "goal"} == {
        name: value for name, value in body.items() if name != "goal"
    }
    gone = world.admin.patch(path(world.mine.pot), {"goal": None}).json()
    assert gone["goal"] is None


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"goal": 250}, "money"),
        ({"goal": "250"}, "money"),
        ({"goal": {"asset": "EUR/2", "minor": "1"}}, "money"),
        ({"goal": {"asset": ASSET, "minor": "-1"}}, "money"),
        ({"name": ""}, "blank"),
        ({"name": "x" * 201}, "max_length"),
        ({"name": 5}, "invalid"),
        ({"active": "false"}, "invalid"),
        ({"active": 0}, "invalid"),
        ({"asset": "EUR/2"}, "unknown_field"),
        ({"parent": None}, "unknown_field"),
        ({"balance": {}}, "unknown_field"),
        ({"automates": False}, "unknown_field"),
        ({"can_send": True}, "unknown_field"),
        ({"connection": str(absent())}, "unknown_field"),
    ],
)
def test_odd_changes_are_400_and_change_nothing(world, body, code):
    before = Account.objects.filter(pk=world.mine.pot.pk).values().get()

    answer = world.admin.patch(path(world.mine.pot), body)

    assert list(fields_of(expect_problem(answer, 400)).values()) == [code]
    assert Account.objects.filter(pk=world.mine.pot.pk).values().get() == before


@pytest.mark.parametrize("asset", ["GBP", "GBP/", "£/2", "GBP/2x", 5, None, ""])
def test_typed_account_needs_a_real_asset(world, asset):
    body = {
        "connection": str(world.mine.cash.connection_id),
        "name": "J",
        "asset": asset,
    }

    answer = world.admin.post(f"{V1}/accounts/", body)

    assert list(fields_of(expect_problem(answer, 400))) == ["asset"]


def test_typed_accounts_belong_to_providers_that_take_them(world):
    body = {"name": "Jar", "asset": ASSET}

    def ask(pk):
        return world.admin.post(f"{V1}/accounts/", body | {"connection": str(pk)})

    bank = ask(world.mine.connection.pk)
    assert fields_of(expect_problem(bank, 400)) == {"connection": "not_typed"}
    foreign, nowhere = ask(world.theirs.cash.connection_id), ask(absent())
    assert foreign.content == nowhere.content
    assert fields_of(expect_problem(foreign, 400)) == {"connection": "does_not_exist"}


def test_transactions_are_money_that_left_or_came(world):
    mine = world.mine.main
    Transaction.objects.create(
        account=mine,
        external_id="later",
        amount=10**30,
        asset=ASSET,
        created=NOON + timedelta(days=1),
    )

    told = world.viewer.get(f"{V1}/transactions/", {"account": mine.pk}).json()

    amounts = [row["money"]["minor"] for row in told["results"]]
    assert amounts == [str(10**30), "-250"]
    early = world.viewer.get(f"{V1}/transactions/?until=2026-03-02T00:00:00Z").json()
    assert [row["external_id"] for row in early["results"]] == ["tx"]


def test_sync_shows_its_length_and_corrections(world):
    told = world.viewer.get(f"{V1}/sync-runs/{world.mine.sync.pk}/").json()

    assert told["duration_seconds"] == 1.5
    assert [row["field"] for row in told["corrections"]] == ["total"]


def test_histories_take_as_many_queries_for_many_as_for_one(
    world, django_assert_max_num_queries
):
    mine = world.mine
    for number in range(20):
        SyncRun.objects.create(connection=mine.connection, kind="manual")
        Correction.objects.create(sync=mine.sync, account=mine.pot, field=str(number))
        Discrepancy.objects.create(
            account=mine.pot,
            name=str(number),
            expected=1,
            actual=2,
            last_seen_at=NOON,
        )
        Transaction.objects.create(
            account=mine.pot,
            external_id=str(number),
            amount=1,
            asset=ASSET,
            created=NOON,
        )
    for route in ("sync-runs", "corrections", "discrepancies", "transactions"):
        with django_assert_max_num_queries(3):
            told = world.viewer.get(f"{V1}/{route}/").json()
        assert len(told["results"]) == 21, route


@pytest.mark.parametrize(
    ("verb", "status"), [("accept", "accepted"), ("ignore", "ignored")]
)
def test_discrepancy_is_decided_once(world, verb, status):
    row = world.mine.discrepancy
    answer = world.operator.post(f"{V1}/discrepancies/{row.pk}/{verb}/")

    assert answer.json()["status"] == status
    assert answer.json()["expected"]["minor"] == "1"
    again = world.operator.post(f"{V1}/discrepancies/{row.pk}/ignore/")
    expect_problem(again, 409, "not_open")
    row.refresh_from_db()
    assert row.status == status


@pytest.mark.parametrize(
    ("word", "outcome"), [("accept", "accepted"), ("ignore", "ignored")]
)
def test_a_discrepancy_says_what_it_is_about_and_who_decided(world, word, outcome):
    row = world.mine.discrepancy
    Discrepancy.objects.filter(pk=row.pk).update(subject="entry 7")

    told = world.operator.post(f"{V1}/discrepancies/{row.pk}/{word}/").json()

    assert (told["subject"], told["status"]) == ("entry 7", outcome)
    assert told["decided_by"] == "operator"
    assert told["decided_at"] is not None
    listed = world.viewer.get(f"{V1}/discrepancies/").json()["results"]
    assert listed == [told]
