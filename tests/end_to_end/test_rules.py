"""Rules written, previewed, run and explained through REST; the bank's ledger agrees."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils.dateparse import parse_datetime
from django.utils.timezone import now

from automation import tasks
from automation.models import Rule, Trigger
from tests.fixtures_api import bank_slug, member
from tests.fixtures_bank import at_every_bank

from .conftest import Api, gbp

pytestmark = pytest.mark.django_db(transaction=True)
OPEN = {"due", "planned", "running"}


@pytest.fixture
def places(known):
    """The ids of the account and its three pots."""
    holdings = [known.customer.account, *known.customer.pots]
    return [known.account(holding) for holding in holdings[:4]]


def sweep(places):
    return {
        "name": "Sweep",
        "kind": "sweep",
        "legs": [
            {
                "account": places[0],
                "role": "source",
                "strategy": "above",
                "keep": gbp(600_00),
            },
            {"account": places[1], "role": "target"},
        ],
    }


def autosort(places):
    return {
        "name": "Payday",
        "kind": "autosort",
        "legs": [
            {"account": places[0], "role": "source", "keep": gbp(100_00)},
            {
                "account": places[1],
                "role": "bills",
                "order": 1,
                "strategy": "fixed",
                "amount": gbp(300_00),
            },
            {
                "account": places[2],
                "role": "investment",
                "order": 2,
                "strategy": "share",
                "share": "0.70",
            },
            {
                "account": places[3],
                "role": "investment",
                "order": 3,
                "strategy": "equal",
            },
        ],
    }


def topup(places):
    return {
        "name": "Topup",
        "kind": "topup",
        "legs": [
            {"account": places[0], "role": "source"},
            {
                "account": places[1],
                "role": "target",
                "strategy": "fixed",
                "amount": gbp(33_33),
            },
        ],
    }


def between_pots(places):
    found = topup(places)
    found["legs"][0]["account"] = places[2]
    return found


RULES = {
    sweep: ["40000"],
    autosort: ["30000", "42000", "18000"],
    topup: ["3333"],
    between_pots: ["3333"],
}


@at_every_bank
@pytest.mark.parametrize("written", RULES, ids=lambda rule: rule.__name__)
def test_a_rule_does_what_its_preview_said_and_the_ledger_agrees(
    written, alice, known, places
):
    known.bank.pay(known.customer.pots[1].external_id, 50_00)
    known.sync()
    before = known.books()
    rule = alice.post("/rules/", written(places), 201, key="rule")["id"]

    plan = alice.post(f"/rules/{rule}/preview/", key="look")
    assert known.books() == before
    assert [move["money"]["minor"] for move in plan["moves"]] == RULES[written]
    assert plan["trace"]

    told = {"plan_hash": plan["plan_hash"]}
    started = alice.post(f"/rules/{rule}/runs/", told, 202, key="go")
    run = alice.get(f"/runs/{started['id']}/")

    assert run["status"] == "succeeded", run["reason"]
    assert run["plan_hash"] == plan["plan_hash"]
    assert run["moves"] == plan["moves"]
    assert known.agrees()
    for transfer in run["transfers"]:
        (entry,) = known.bank.moved(transfer["dedupe_id"])
        assert entry.amount == int(transfer["money"]["minor"])
        assert (transfer["status"], transfer["verified"]) == ("done", True)
        assert alice.get(f"/transfers/{transfer['id']}/") == transfer
    known.sync()
    assert known.agrees()
    assert sum(known.books().values()) == sum(before.values())


def test_the_same_key_is_the_same_run(alice, known, places):
    rule = alice.post("/rules/", topup(places), 201)["id"]
    first = alice.post(f"/rules/{rule}/runs/", status=202, key="go")

    again = alice.post(f"/rules/{rule}/runs/", status=200, key="go")

    assert again["id"] == first["id"]
    assert len(alice.rows(f"/rules/{rule}/runs/")) == 1
    assert len(alice.rows("/transfers/", rule=rule)) == 1


def test_another_key_is_another_run(alice, known, places):
    rule = alice.post("/rules/", topup(places), 201)["id"]
    for key in ("one", "two"):
        alice.post(f"/rules/{rule}/runs/", status=202, key=key)

    assert known.bank.balance(known.customer.pots[0].external_id) >= 66_66
    assert {run["status"] for run in alice.rows("/runs/")} == {"succeeded"}


def test_a_run_needs_a_key(alice, known, places):
    rule = alice.post("/rules/", topup(places), 201)["id"]

    problem = alice.post(f"/rules/{rule}/runs/", status=400)

    assert "idempotency" in problem["code"]
    assert alice.rows("/runs/") == []


def test_a_plan_that_is_another_one_by_now_is_not_run(alice, known, places):
    rule = alice.post("/rules/", sweep(places), 201)["id"]
    plan = alice.post(f"/rules/{rule}/preview/")
    known.bank.pay(known.customer.account.external_id, 1)
    known.sync()

    told = {"plan_hash": plan["plan_hash"]}
    problem = alice.post(f"/rules/{rule}/runs/", told, status=409, key="go")

    assert problem["code"] == "plan_changed"
    assert alice.rows("/runs/") == []


@pytest.mark.parametrize("code", ["insufficient_funds", "account_unusable", "refused"])
def test_a_run_that_the_bank_refuses_ends_and_says_why(alice, known, places, code):
    before = known.books()
    rule = alice.post("/rules/", autosort(places), 201)["id"]
    known.bank.fault("refuse", code=code, method="PUT", times=50)

    started = alice.post(f"/rules/{rule}/runs/", status=202, key="go")
    run = alice.get(f"/runs/{started['id']}/")

    assert run["status"] == "failed"
    assert {(t["status"], t["error_code"]) for t in run["transfers"]} == {
        ("refused", code)
    }
    assert all(t["error"] and t["settled_at"] for t in run["transfers"])
    assert known.books() == before
    assert alice.get(known.path)["health"] == "ok"


def test_a_run_waits_for_permission_and_says_so(alice, known, places):
    before = known.books()
    rule = alice.post("/rules/", topup(places), 201)["id"]
    known.bank.do("revoke", name=known.customer.name)

    started = alice.post(f"/rules/{rule}/runs/", status=202, key="go")
    run = alice.get(f"/runs/{started['id']}/")

    waits = [t["error_code"] for t in run["transfers"]]
    assert run["status"] == "skipped_stale" or waits == ["consent_needed"]
    assert alice.get(known.path)["health"] == "reconnect_needed"
    assert known.books() == before


def test_a_changed_rule_is_due_anew_and_a_disabled_one_is_not_run(alice, places):
    told = topup(places) | {"triggers": [{"kind": "daily", "hour": 3}]}
    rule = alice.post("/rules/", told, 201)
    path = f"/api/v1/rules/{rule['id']}/"
    later = {"triggers": [{"kind": "daily", "hour": 4}]}

    moved = alice.client.patch(path, later, format="json").json()
    assert moved["next_due_at"] != rule["next_due_at"]

    alice.client.patch(path, {"enabled": False}, format="json")
    again = alice.client.patch(path, {"enabled": True}, format="json").json()
    assert again["next_due_at"] == moved["next_due_at"]


def test_a_rule_that_was_frozen_starts_anew_and_catches_nothing_up(
    alice, known, places
):
    told = topup(places) | {"triggers": [{"kind": "interval", "minutes": 60}]}
    rule = alice.post("/rules/", told, 201)["id"]
    known.bank.fault("wrong_currency", method="PUT")
    alice.post(f"/rules/{rule}/runs/", status=202, key="go")
    assert alice.get(f"/rules/{rule}/")["enabled"] is False
    Trigger.objects.update(next_at=now() - timedelta(hours=5))
    Rule.objects.update(next_due_at=now() - timedelta(hours=5))

    path = f"/api/v1/rules/{rule}/"
    alice.client.patch(path, {"enabled": True}, format="json")
    tasks.dispatch_due_rules()

    assert [run["trigger"] for run in alice.rows("/runs/")] == ["api"]
    assert parse_datetime(alice.get(f"/rules/{rule}/")["next_due_at"]) > now()


def test_nothing_of_it_exists_for_a_stranger(alice, known, places, db):
    rule = alice.post("/rules/", topup(places), 201)["id"]
    run = alice.post(f"/rules/{rule}/runs/", status=202, key="go")["id"]
    transfer = alice.get(f"/runs/{run}/")["transfers"][0]["id"]
    stranger = Api(member("mallory"))

    for path in (
        f"/rules/{rule}/",
        f"/runs/{run}/",
        f"/transfers/{transfer}/",
        known.path,
        f"/accounts/{places[0]}/balance/",
    ):
        assert stranger.get(path, status=404)["code"] == "not_found"
    stranger.post(f"/rules/{rule}/runs/", status=404, key="go")
    assert bank_slug() in {p["slug"] for p in stranger.get("/providers/")["results"]}
