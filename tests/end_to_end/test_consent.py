"""Consent in the browser: to the bank's page, agreed, back, and everything that may go wrong."""

from __future__ import annotations

import re
from urllib.parse import urljoin, urlsplit

import pytest
import requests

from accounts import tasks
from accounts.models import Connection
from tests.fixtures_api import member
from tests.fixtures_bank import at_every_bank

from .conftest import Api

pytestmark = pytest.mark.django_db(transaction=True)
FIELD = re.compile(r'name="(\w+)" value="([^"]*)"')


@pytest.fixture
def connection(alice, bank):
    """A connection that knows its client and has no consent yet."""
    known = bank.credentials()
    given = {k: v for k, v in known.items() if v and "token" not in k}
    told = {"provider": bank.slug, "label": "mine", "credentials": given}
    return alice.post("/connections/", told, 201)


@pytest.fixture
def path(connection):
    return f"/connections/{connection['id']}/"


@pytest.fixture
def browser(alice, client):
    """Alice's browser, signed in at balsync."""
    client.force_login(alice.client.user)
    return client


def slug_of(api: Api, path: str) -> str:
    return api.get(path)["provider"]


def agree(api: Api, path: str) -> str:
    """Open the bank's page, press the first person's button, return the way back."""
    url = api.post(f"{path}authorize/")["url"]
    page = requests.get(url, timeout=10)
    assert page.status_code == 200
    fields = dict(FIELD.findall(page.text)[::-1])  # the first button wins
    answer = requests.post(
        urljoin(url, "approve"), fields, allow_redirects=False, timeout=10
    )
    assert answer.status_code == 302
    back = urlsplit(answer.headers["Location"])
    assert back.path == f"/oauth/{slug_of(api, path)}/callback"
    return f"{back.path}?{back.query}"


@at_every_bank
def test_consent_connects_and_reads_everything_at_once(alice, bank, path, browser):
    assert alice.get(path)["health"] == "new"

    answer = browser.get(agree(alice, path))

    assert answer.status_code == 200, answer.content
    after = alice.get(path)
    assert (after["health"], after["needs_person"]) == ("ok", False)
    rows = alice.rows("/accounts/")
    held = bank.balances()
    assert rows
    for row in rows:
        assert int(row["balance"]["total"]["minor"]) == held[row["external_id"]]
    assert alice.rows("/transactions/")


def test_the_way_back_works_once(alice, path, browser):
    back = agree(alice, path)
    assert browser.get(back).status_code == 200

    again = browser.get(back)

    assert again.status_code == 400
    assert alice.get(path)["health"] == "ok"


def test_a_state_that_nobody_gave_out_connects_nothing(alice, path, browser):
    back = agree(alice, path)
    wrong = re.sub(r"state=[^&]+", "state=guessed", back)

    assert browser.get(wrong).status_code == 400
    assert alice.get(path)["health"] == "new"
    assert browser.get(back).status_code == 200


def test_a_code_that_the_bank_does_not_know_connects_nothing(alice, path, browser):
    back = re.sub(r"code=[^&]+", "code=guessed", agree(alice, path))

    assert browser.get(back).status_code == 400
    assert alice.get(path)["health"] == "new"


def test_nobody_else_can_come_back_with_my_consent(alice, path, client, browser):
    back = agree(alice, path)
    client.force_login(member("mallory").user)

    assert client.get(back).status_code == 400

    client.force_login(alice.client.user)
    assert client.get(back).status_code == 200


def test_who_is_not_signed_in_is_asked_to_first(alice, path, client):
    answer = client.get(agree(alice, path))

    assert answer.status_code == 302
    assert "login" in answer.headers["Location"]
    assert alice.get(path)["health"] == "new"


def test_an_approval_in_the_app_is_waited_for(alice, bank, sandbox, path, browser):
    bank.configure(approval_seconds=60.0)

    answer = browser.get(agree(alice, path))

    assert answer.status_code == 200
    waiting = alice.get(path)
    assert (waiting["health"], waiting["error_code"]) == (
        "awaiting_approval",
        "consent_needed",
    )
    assert all(row["balance"] is None for row in alice.rows("/accounts/"))

    sandbox.clock.advance(61)
    Connection.objects.update(next_sync_at=waiting["last_sync_at"])
    tasks.dispatch_due_syncs()

    assert alice.get(path)["health"] == "ok"
    assert all(row["balance"] for row in alice.rows("/accounts/"))


def test_a_rule_runs_on_tokens_that_were_renewed(alice, bank, path, browser):
    browser.get(agree(alice, path))
    customer = bank.demo_world()
    bank.do("expire", name=customer.name)
    rows = {row["external_id"]: row["id"] for row in alice.rows("/accounts/")}
    source = rows[customer.account.external_id]
    target = rows[customer.pots[0].external_id]
    legs = [
        {"account": source, "role": "source", "strategy": "fixed"},
        {"account": target, "role": "target"},
    ]
    legs[0]["amount"] = {"asset": "GBP/2", "minor": "100"}
    told = {"name": "Pound", "kind": "sweep", "legs": legs}
    rule = alice.post("/rules/", told, 201)["id"]
    before = bank.balance(customer.pots[0].external_id)

    started = alice.post(f"/rules/{rule}/runs/", status=202, key="go")

    assert alice.get(f"/runs/{started['id']}/")["status"] == "succeeded"
    assert bank.balance(customer.pots[0].external_id) == before + 100
