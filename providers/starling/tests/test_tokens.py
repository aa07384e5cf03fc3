"""Tokens and consents: what they allow, when they end, and who is asked then."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlencode

import pytest

from providers import errors
from providers.sandbox.inside import sender
from providers.sandbox.wire import Asked
from providers.starling import Provider
from providers.wire import drive
from tests.providers.contract.parties import place


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
