"""The bank on this machine is as forgetful, and as slow to trust, as the real one."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import parse_qs, urlencode

import pytest

from providers import errors
from providers.monzo import Provider
from providers.sandbox.inside import sender
from providers.sandbox.wire import Asked
from providers.wire import drive
from tests.fixtures_still import NOW
from tests.providers.contract.parties import place

FORM = "application/x-www-form-urlencoded"


def test_nothing_is_allowed_before_the_approval_in_the_app(bank, alex, client):
    bank.configure(approval_seconds=30.0)
    back = "http://127.0.0.1:1/"
    adapter = Provider(alex.credentials)
    url = bank.consent(adapter.authorization_url(back, "s"))
    code = parse_qs(url.partition("?")[2])["code"][0]
    tokens = drive(adapter.exchange(code, back), sender(adapter, bank))
    token = tokens.credentials["access_token"]

    status, body = client("GET", "/accounts", token=token)
    assert (status, body["code"]) == (403, "forbidden.insufficient_permissions")
    assert client("GET", "/ping/whoami", token=token)[1]["authenticated"] is True

    bank.clock.advance(31)
    assert client("GET", "/accounts", token=token)[0] == 200


def test_refresh_token_works_once_and_evicts_the_older_access_token(
    bank, alex, client, ask
):
    ask(lambda adapter: adapter.refresh())

    status, body = client("GET", "/accounts")
    assert (status, body["code"]) == (401, "unauthorized.bad_access_token.evicted")
    assert body["error"] == "invalid_token"
    with pytest.raises(errors.AuthenticationFailed):
        ask(lambda adapter: adapter.refresh())


def test_second_consent_evicts_the_first(bank, alex, client):
    adapter, back = Provider(alex.credentials), "http://127.0.0.1:1/"
    url = bank.consent(adapter.authorization_url(back, "s"))
    code = parse_qs(url.partition("?")[2])["code"][0]
    drive(adapter.exchange(code, back), sender(adapter, bank))

    assert client("GET", "/accounts")[1]["code"].endswith(".evicted")


def test_expired_token_says_so_and_keeps_the_gateway_closed(bank, alex, client):
    bank.expire("alex")
    assert client("GET", "/accounts")[1]["code"].endswith(".expired")

    form = {
        **{k: alex.credentials[k] for k in ("client_id", "client_secret")},
        "grant_type": "refresh_token",
        "refresh_token": alex.credentials["refresh_token"],
    }
    # With the expired header the gateway refuses, without it the refresh works.
    assert client("POST", "/oauth2/token", form)[0] == 401
    headers = {"content-type": FORM}
    plain = Asked("POST", "/oauth2/token", "", headers, urlencode(form).encode())
    assert bank.answer(plain).status == 200


def test_public_client_gets_no_refresh_token(bank, ask):
    bank.configure(extra={"confidential": False})

    assert ask(lambda adapter: adapter.refresh()).credentials["refresh_token"] == ""


def test_logged_out_token_cannot_be_refreshed(bank, client, ask):
    assert client("POST", "/oauth2/logout") == (200, {})
    assert client("GET", "/accounts")[0] == 401
    with pytest.raises(errors.AuthenticationFailed):
        ask(lambda adapter: adapter.refresh())


def test_all_history_is_open_for_five_minutes_only(bank, alex, client):
    account = alex.account.external_id
    bank.reauthenticate("alex")
    everything = {"account_id": account, "since": "2025-10-01T00:00:00Z"}
    assert len(client("GET", "/transactions", **everything)[1]["transactions"]) == 1

    bank.clock.advance(301)
    status, body = client("GET", "/transactions", **everything)
    assert (status, body["code"]) == (403, "forbidden.verification_required")
    assert client("GET", "/balance", account_id=account)[0] == 200

    late = bank.clock.now() - timedelta(days=89)
    recent = {"account_id": account, "since": late.isoformat()}
    assert client("GET", "/transactions", **recent)[0] == 200


def test_refresh_does_not_reopen_the_history(bank, alex, ask):
    credentials = ask(lambda adapter: adapter.refresh()).credentials
    adapter = Provider({**alex.credentials, **credentials})

    history = drive(
        adapter.movements(
            place(alex.account), "", now=NOW, since=NOW - timedelta(days=200)
        ),
        sender(adapter, bank),
    )

    assert history.truncated


def test_one_call_may_not_span_more_than_a_year(bank, alex, client):
    bank.reauthenticate("alex")
    wish = {"account_id": alex.account.external_id, "since": "2024-06-01T00:00:00Z"}

    assert client("GET", "/transactions", **wish)[0] == 400
    wish["before"] = "2025-05-01T00:00:00Z"
    assert client("GET", "/transactions", **wish)[0] == 200


def test_second_put_with_one_dedupe_id_moves_nothing_and_shows_the_pot(
    bank, alex, client
):
    pot = alex.pots[0]
    form = {
        "source_account_id": alex.account.external_id,
        "amount": 100,
        "dedupe_id": "one",
    }
    path = f"/pots/{pot.external_id}/deposit"

    first = client("PUT", path, form)
    assert client("PUT", path, form) == first
    # Undocumented; here the first result stands, whatever the repeat says.
    assert client("PUT", path, {**form, "amount": 999}) == first
    assert len(bank.moved("one")) == 1


def test_dedupe_ids_belong_to_a_person(bank, alex):
    bea = bank.add_customers(["bea"])[0]
    for person in (alex, bea):
        adapter = Provider(person.credentials)
        drive(
            adapter.transfer(
                place(person.account), place(person.pots[0]), 100, dedupe_id="one"
            ),
            sender(adapter, bank),
        )

    assert len(bank.moved("one")) == 2


def test_deleted_pots_are_listed_and_not_counted(bank, alex, client, ask):
    rows = client("GET", "/pots", current_account_id=alex.account.external_id)[1]
    gone = [row["id"] for row in rows["pots"] if row["deleted"]]
    assert gone

    seen = {r.external_id: r for r in ask(lambda a: a.observe()).readings}
    assert all(seen[id].closed and seen[id].total is None for id in gone)


def test_locked_pot_takes_money_but_gives_none(bank, alex, client):
    locked = next(h for h in alex.holdings if h.locked)
    account, path = alex.account.external_id, f"/pots/{locked.external_id}"
    form = {"amount": 100, "dedupe_id": "d"}

    out = client("PUT", f"{path}/withdraw", {**form, "destination_account_id": account})
    assert out[0] == 403
    into = client("PUT", f"{path}/deposit", {**form, "source_account_id": account})
    assert into[0] == 200


def test_pending_is_an_empty_text_and_a_refusal_has_a_reason(bank, alex, client):
    account = alex.account.external_id
    bank.spend(account, 100, pending=True)
    bank.spend(account, 200, declined="CARD_BLOCKED")
    wish = {"account_id": account, "since": "2026-01-31T00:00:00Z"}

    pending, declined = client("GET", "/transactions", **wish)[1]["transactions"]

    assert pending["settled"] == ""
    assert "decline_reason" not in pending
    assert (declined["decline_reason"], declined["amount"]) == ("CARD_BLOCKED", -200)
    assert bank.balance(account) == 1_500_00 - 100


def test_too_many_requests_say_when_to_come_back(bank, ask):
    bank.fault("429", seconds=3)

    with pytest.raises(errors.RateLimited) as raised:
        ask(lambda adapter: adapter.observe())

    assert raised.value.retry_after == 3


def test_504_after_the_money_moved_is_unknown(bank, alex, ask):
    bank.fault("act_then_500", method="PUT", status=504)
    ends = place(alex.account), place(alex.pots[0])

    with pytest.raises(errors.OutcomeUnknown):
        ask(lambda adapter: adapter.transfer(*ends, 100, dedupe_id="one"))

    assert len(bank.moved("one")) == 1
