"""The bank on this machine refuses, repeats and remembers as the real one would."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlencode

import pytest

from providers import errors
from providers.base import Place
from providers.money import Asset
from providers.sandbox.inside import sender
from providers.sandbox.wire import Asked
from providers.starling import Provider
from providers.starling.sandbox import Sandbox
from providers.wire import Response, drive
from tests.providers.contract.parties import place

UID = "e67b6e7c-323f-4dfa-919a-5f835b28cfa0"


def wish(minor=1000, currency="GBP", **more):
    return {"amount": {"currency": currency, "minorUnits": minor}, **more}


@pytest.fixture
def path(alex):
    goals = f"/api/v2/account/{alex.account.external_id}/savings-goals"
    return f"{goals}/{alex.pots[0].external_id}/add-money/{UID}"


# -- moving


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


def test_money_of_a_spending_space_is_seen_and_never_moved(bank, alex, ask):
    space = next(h for h in alex.holdings if h.kind == "spending")
    adapter = Provider(alex.credentials)
    seen = {r.external_id: r for r in ask(lambda a: a.observe()).readings}

    assert seen[space.external_id].total == bank.balance(space.external_id) > 0
    assert not adapter.moves(place(space), place(alex.account))
    assert not adapter.moves(place(alex.account), place(space))


def test_overdraft_is_told_and_is_no_money(bank, alex, ask):
    account = alex.account.external_id
    bank.amend(account, overdraft=500_00)
    bank.spend(account, bank.balance(account) + 250)
    bank.spend(account, 100, pending=True)

    (main,) = (r for r in ask(lambda a: a.observe()).readings if not r.parent)

    assert (main.total, main.available, main.held) == (-250, -350, 100)
    assert main.details == {"accepted_overdraft": "50000"}


def test_money_on_its_way_in_counts_when_it_has_come(bank, alex, ask):
    account = alex.account.external_id
    before = bank.balance(account)
    coming = bank.pay(account, 77, pending=True)

    def own():
        return next(r for r in ask(lambda a: a.observe()).readings if not r.parent)

    assert (own().total, own().available) == (before, before)
    bank.settle(coming.id)
    assert (own().total, own().available) == (before + 77, before + 77)


# -- tokens


def test_personal_token_reads_and_moves_without_any_consent(bank, alex):
    given = {"access_token": bank.personal_token("alex")}
    adapter = Provider(given)
    send = sender(adapter, bank)

    Provider.check_credentials(given)
    assert Provider.consented(given)
    assert not adapter.lacks_token
    assert drive(adapter.observe(), send).complete
    ends = place(alex.account), place(alex.pots[0])
    drive(adapter.transfer(*ends, 100, dedupe_id="one"), send)
    assert len(bank.moved("one")) == 1


def test_deleted_personal_token_waits_for_a_person(bank, alex):
    token = bank.personal_token("alex")
    bank.delete_personal_token(token)
    adapter = Provider({"access_token": token})

    with pytest.raises(errors.AuthenticationFailed):
        drive(adapter.observe(), sender(adapter, bank))
    with pytest.raises(errors.AuthenticationFailed, match="make a new one"):
        next(adapter.refresh())
    with pytest.raises(errors.BadCredentials):
        adapter.authorization_url("http://127.0.0.1:1/", "s")


def test_refresh_token_alone_asks_for_an_access_token_first(bank, alex):
    names = ("client_id", "client_secret", "refresh_token")
    given = {name: alex.credentials[name] for name in names}
    adapter = Provider(given)

    assert adapter.lacks_token
    tokens = drive(adapter.refresh(), sender(adapter, bank))
    again = Provider({**given, **tokens.credentials})
    assert not again.lacks_token
    assert drive(again.observe(), sender(again, bank)).complete


def test_consent_tells_whose_it_is_and_when_it_ends(bank, alex):
    adapter, back = Provider(alex.credentials), "http://127.0.0.1:1/"
    url = bank.consent(adapter.authorization_url(back, "s"))
    code = url.partition("code=")[2].partition("&")[0]
    bank.configure(extra={"tells_expiry": False})

    tokens = drive(adapter.exchange(code, back), sender(adapter, bank))

    assert tokens.user == bank.ledger.topic("holders")["alex"]
    assert tokens.expires_in == 86400
    assert tokens.consent_ends == bank.clock.now() + timedelta(days=90)


@pytest.mark.parametrize(
    ("missing", "named"),
    [
        ("balance:read", r"\[balance:read\]"),
        ("space:read", r"\[space:read\]"),
    ],
)
def test_scope_that_is_missing_is_named_to_a_person(bank, alex, ask, missing, named):
    grant = next(iter(bank.ledger.topic("grants").values()))
    bank.grant_scopes("alex", [s for s in grant["scopes"] if s != missing])

    with pytest.raises(errors.ConsentNeeded, match=named):
        ask(lambda adapter: adapter.observe())


def test_permissions_say_what_the_scopes_allow(bank, alex, ask):
    may = ask(lambda adapter: adapter.permissions())
    assert (may.read, may.transfer, may.withdraw) == (True, True, False)

    bank.grant_scopes("alex", ["account:read", "balance:read", "pay-local:create"])
    may = ask(lambda adapter: adapter.permissions())
    assert (may.read, may.transfer, may.withdraw) == (False, False, True)
    assert any("savings-goal-transfer:create" in note for note in may.notes)


def test_renewed_token_ends_with_its_consent_and_a_personal_one_when_it_says(
    bank, alex, ask
):
    consent = bank.clock.now() + timedelta(days=90)
    assert ask(lambda adapter: adapter.permissions()).ends == consent
    bank.configure(extra={"tells_consent": False})
    assert ask(lambda adapter: adapter.permissions()).ends is None

    alone = Provider({"access_token": alex.credentials["access_token"]})
    ends = drive(alone.permissions(), sender(alone, bank)).ends
    assert ends == bank.clock.now() + timedelta(days=1)
    personal = Provider({"access_token": bank.personal_token("alex")})
    assert drive(personal.permissions(), sender(personal, bank)).ends is None


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"refresh_token": "r"},
        {"client_id": "c"},
        {"client_secret": "s"},
        {"access_token": "a", "client_id": "c"},
        {"access_token": "a", "refresh_token": "r"},
        {"access_token": "a", "webhook_public_key": "k", "webhook_secret": "s"},
    ],
)
def test_credentials_that_lack_their_other_half_are_refused(given):
    with pytest.raises(errors.BadCredentials):
        Provider.check_credentials(given)


@pytest.mark.parametrize(
    "given",
    [
        {"access_token": "a"},
        {"access_token": "a", "webhook_secret": "s"},
        {"client_id": "c", "client_secret": "s"},
        {"client_id": "c", "client_secret": "s", "refresh_token": "r"},
    ],
)
def test_credentials_that_are_enough_are_taken(given):
    Provider.check_credentials({**given, "webhook_public_key": ""})


def token(bank, query, body=b"", kind="application/x-www-form-urlencoded"):
    headers = {"content-type": kind}
    asked = Asked("POST", "/oauth/access-token", urlencode(query), headers, body)
    return bank.answer(asked).status


def test_tokens_are_given_for_the_documented_form_only(bank, alex):
    names = ("client_id", "client_secret", "refresh_token")
    query = {name: alex.credentials[name] for name in names}
    query["grant_type"] = "refresh_token"

    assert token(bank, {**query, "client_secret": "x"}) == 401
    assert token(bank, {**query, "grant_type": "password"}) == 400
    assert token(bank, {**query, "refresh_token": "x"}) == 400
    assert token(bank, query, kind="application/json") == 400
    assert token(bank, {}, body=urlencode(query).encode()) == 400
    assert token(bank, query) == 200
    assert token(bank, query) == 400  # it works once


def test_nothing_is_told_without_a_token(bank, alex, client):
    account = alex.account.external_id
    for path in (
        "/api/v2/accounts",
        f"/api/v2/accounts/{account}/balance",
        f"/api/v2/account/{account}/spaces",
        "/api/v2/identity/token",
    ):
        assert bank.answer(Asked("GET", path)).status == 401
        assert client("GET", path, token="nonsense")[0] == 401


# -- memory


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


def test_account_of_a_type_that_is_not_known_is_unknown_and_never_left_out(bank, alex):
    adapter = Provider(alex.credentials)
    send = sender(adapter, bank)
    whole = drive(adapter.observe(), send)
    (main,) = (r for r in whole.readings if r.parent is None)

    def another_type(request):
        told = send(request).body
        return Response(200, {}, told.replace(b'"PRIMARY"', b'"NEWEST"'))

    with pytest.raises(errors.UnexpectedResponse, match="type"):
        drive(adapter.observe(), another_type)

    def one_more(request):
        if request.path.endswith("/accounts"):
            rows = json.loads(send(request).body)["accounts"]
            new = {**rows[0], "accountUid": UID, "accountType": "NEWEST", "name": "Isa"}
            return Response(200, {}, json.dumps({"accounts": [*rows, new]}).encode())
        return send(replace(request, path=request.path.replace(UID, main.external_id)))

    for known in ([], [place(alex.account), Place(UID, "other", None, main.asset)]):
        seen = drive(adapter.observe(known), one_more)

        odd = next(r for r in seen.readings if r.external_id == UID)
        assert (odd.total, odd.available, odd.kind) == (None, None, "other")
        assert "type" in odd.error
        assert not seen.complete
        assert len(seen.readings) == len(whole.readings) + 1
