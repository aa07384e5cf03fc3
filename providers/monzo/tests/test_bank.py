"""The bank on this machine is as strict, and as forgetful, as the real one."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlencode

import pytest
import requests

from providers import errors, sandbox
from providers.base import Place
from providers.monzo import Provider
from providers.monzo.sandbox import Sandbox
from providers.sandbox.inside import sender
from providers.sandbox.wire import Asked
from providers.wire import drive

FORM = "application/x-www-form-urlencoded"
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.fixture
def bank():
    bank = Sandbox()
    bank.clock.freeze(NOW)
    return bank


@pytest.fixture
def alex(bank):
    return bank.demo_world()


@pytest.fixture
def client(bank, alex):
    """Ask the bank for something as Alex, in its own words."""

    def client(method, path, form=None, *, token=None, kind=FORM, **query):
        given = alex.credentials["access_token"] if token is None else token
        headers = {"authorization": f"Bearer {given}", "content-type": kind}
        body = urlencode(form).encode() if isinstance(form, dict) else form or b""
        answer = bank.answer(Asked(method, path, urlencode(query), headers, body))
        return answer.status, json.loads(answer.body)

    return client


@pytest.fixture
def ask(bank, alex):
    adapter = Provider(alex.credentials)
    return lambda call: drive(call(adapter), sender(adapter, bank))


def place(holding):
    return Place(holding.external_id, holding.kind, holding.parent)


# -- what the sandbox must reproduce


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


# -- what the sandbox must refuse


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"amount": "0"}, 400, "bad_request.bad_param.amount"),
        ({"amount": "-1"}, 400, "bad_request.bad_param.amount"),
        ({"amount": "1.00"}, 400, "bad_request.bad_param.amount"),
        ({"amount": "1_0"}, 400, "bad_request.bad_param.amount"),
        ({"amount": "١"}, 400, "bad_request.bad_param.amount"),
        ({"amount": str(2**63)}, 400, "bad_request.bad_param.amount"),
        ({"amount": ""}, 400, "bad_request.missing_param.amount"),
        ({"dedupe_id": ""}, 400, "bad_request.missing_param.dedupe_id"),
        ({"amount": "150001"}, 400, "bad_request.insufficient_funds"),
        ({"source_account_id": "acc_other"}, 404, "not_found.account"),
        (
            {"source_account_id": ""},
            400,
            "bad_request.missing_param.source_account_id",
        ),
    ],
)
def test_malformed_deposit_is_refused(bank, alex, client, change, status, code):
    form = {
        "source_account_id": alex.account.external_id,
        "amount": "100",
        "dedupe_id": "one",
    }
    path = f"/pots/{alex.pots[0].external_id}/deposit"

    found = client("PUT", path, {**form, **change})

    assert (found[0], found[1]["code"]) == (status, code)
    assert bank.moved("one") == []


def test_deposit_in_json_is_refused(bank, alex, client):
    form = {
        "source_account_id": alex.account.external_id,
        "amount": 100,
        "dedupe_id": "one",
    }
    path, body = f"/pots/{alex.pots[0].external_id}/deposit", json.dumps(form).encode()

    assert client("PUT", path, body, kind="application/json")[0] == 400
    assert client("PUT", path, body)[0] == 400


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/accounts", 405),
        ("GET", "/pots/pot_1/deposit", 405),
        ("POST", "/pots/pot_1/withdraw", 405),
        ("GET", "/nothing", 404),
        ("GET", "/accounts/", 404),
        ("PUT", "/pots/pot_none/deposit", 404),
    ],
)
def test_wrong_paths_and_methods_are_refused(alex, client, method, path, status):
    form = {
        "source_account_id": alex.account.external_id,
        "amount": 1,
        "dedupe_id": "d",
    }

    assert client(method, path, form if path.count("/") > 1 else None)[0] == status


@pytest.mark.parametrize("path", ["/accounts", "/balance", "/pots", "/transactions"])
def test_nothing_is_told_without_a_token(bank, client, path):
    assert client("GET", path, token="nonsense")[0] == 401
    assert bank.answer(Asked("GET", path)).status == 401


def test_other_peoples_accounts_are_not_there(bank, client):
    bea = bank.add_customers(["bea"])[0].account.external_id

    for path, name in (
        ("/balance", "account_id"),
        ("/pots", "current_account_id"),
        ("/transactions", "account_id"),
    ):
        assert client("GET", path, **{name: bea})[0] == 404
        assert client("GET", path)[0] == 400


@pytest.mark.parametrize("limit", ["0", "101", "-1", "x", ""])
def test_pages_have_at_most_a_hundred(alex, client, limit):
    wish = {"account_id": alex.account.external_id, "since": "2026-01-30T00:00:00Z"}

    assert client("GET", "/transactions", **wish, limit=limit)[0] == 400


def test_pages_have_thirty_unless_asked(bank, alex, client):
    account = alex.account.external_id
    for _ in range(40):
        bank.pay(account, 1)
    wish = {"account_id": account, "since": "2026-01-30T00:00:00Z"}

    assert len(client("GET", "/transactions", **wish)[1]["transactions"]) == 30


def test_one_transaction_can_be_fetched_by_its_owner_only(bank, alex, client):
    entry = bank.spend(alex.account.external_id, 5, merchant="Café")
    bea = bank.add_customers(["bea"])[0].credentials["access_token"]

    plain = client("GET", f"/transactions/{entry.id}")[1]["transaction"]
    whole = client("GET", f"/transactions/{entry.id}", **{"expand[]": "merchant"})
    assert isinstance(plain["merchant"], str)
    assert whole[1]["transaction"]["merchant"]["name"] == "Café"
    assert client("GET", f"/transactions/{entry.id}", token=bea)[0] == 404


def test_webhooks_are_kept_until_they_are_deleted(alex, client):
    account = alex.account.external_id
    form = {"account_id": account, "url": "https://example.com/hook"}

    made = client("POST", "/webhooks", form)[1]["webhook"]
    assert client("GET", "/webhooks", account_id=account)[1] == {"webhooks": [made]}
    assert client("DELETE", f"/webhooks/{made['id']}") == (200, {})
    assert client("GET", "/webhooks", account_id=account)[1] == {"webhooks": []}


def test_consent_page_has_a_button_and_escapes_what_it_shows(bank, alex):
    wish = {
        "client_id": alex.credentials["client_id"],
        "redirect_uri": "http://127.0.0.1:1/",
        "response_type": "code",
        "state": '"><script>',
    }
    page = bank.answer(Asked("GET", "/auth/", urlencode(wish)))

    assert page.status == 200
    assert b"<button" in page.body
    assert b"<script>" not in page.body
    for spoiled in ({"client_id": "x"}, {"redirect_uri": "javascript:1"}):
        again = bank.answer(Asked("GET", "/auth/", urlencode({**wish, **spoiled})))
        assert again.status >= 400


def test_person_can_press_the_button_in_a_browser():
    with sandbox.serve("monzo") as box:
        adapter = Provider(box["monzo"].credentials(), box.hosts("monzo"))
        url = adapter.authorization_url("http://127.0.0.1:1/back", "s")
        assert requests.get(url, timeout=5).status_code == 200
        form = {k: v[0] for k, v in parse_qs(url.partition("?")[2]).items()}
        pressed = requests.post(
            box.hosts("monzo")["auth"] + "/approve",
            data={**form, "name": "alex"},
            allow_redirects=False,
            timeout=5,
        )

    assert pressed.status_code == 302
    assert pressed.headers["Location"].startswith("http://127.0.0.1:1/back?code=")


def test_couple_shares_an_account_with_its_pots(bank):
    ann, bob = bank.add_customers(["ann", "bob"], joint=True, pots=1)
    seen = []
    for person in (ann, bob):
        adapter = Provider(person.credentials)
        readings = drive(adapter.observe(), sender(adapter, bank)).readings
        seen.append({r.external_id for r in readings})

    shared = seen[0] & seen[1]
    assert len(shared) == 2
    assert seen[0] - shared
    assert not (seen[0] - shared) & (seen[1] - shared)
