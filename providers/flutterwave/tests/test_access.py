"""One connection speaks one version; tokens of version 4 last ten minutes."""

from __future__ import annotations

from datetime import timedelta

import pytest

from providers import errors
from providers.flutterwave import Provider
from providers.sandbox.inside import sender
from providers.wire import Request, Response, drive
from tests.fixtures_still import NOW

from .conftest import TOKEN

FORM = "application/x-www-form-urlencoded"
V3 = {"secret_key": "FLWSECK-1-X"}
V4 = {"client_id": "c", "client_secret": "s"}


@pytest.mark.parametrize(
    "given",
    [
        V3,
        {
            **V3,
            "webhook_hash": "h",
            "client_id": "",
            "client_secret": "",
            "sandbox": "",
        },
        {**V3, "sandbox": "no"},
        V4,
        {**V4, "secret_key": "", "sandbox": "Yes"},
    ],
)
def test_credentials_of_one_version_are_taken(given):
    Provider.check_credentials(given)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({}, "the client id and the client secret"),
        ({"webhook_hash": "h"}, "the client id and the client secret"),
        ({"client_id": "c"}, "the client id and the client secret"),
        ({"client_secret": "s"}, "the client id and the client secret"),
        ({**V3, **V4}, "not both"),
        ({**V3, "client_id": "c"}, "not both"),
        ({"secret_key": "FLWPUBK-1-X"}, "public key"),
        ({**V4, "sandbox": "perhaps"}, "yes or no"),
        ({**V3, "sandbox": "yes"}, "says itself"),
    ],
)
def test_credentials_of_none_or_both_are_refused_with_a_reason(given, why):
    with pytest.raises(errors.BadCredentials, match=why):
        Provider.check_credentials(given)


def test_each_version_is_asked_where_it_answers():
    asked = {
        "api": ("/transactions", V3),
        "v4": ("/wallets/balances", V4),
        "v4_sandbox": ("/wallets/balances", {**V4, "sandbox": "yes"}),
    }

    for host, (path, given) in asked.items():
        request = next(Provider(given).observe())
        assert (request.host, request.path) == (host, path)
    moved = Provider(V4, {"v4": "https://elsewhere.example/f4b/"})
    request = next(moved.observe())
    assert moved.url(request) == "https://elsewhere.example/f4b/wallets/balances"


def test_requests_of_version_4_have_a_trace_of_their_own():
    adapter = Provider({**V4, "access_token": "t"})
    asked = next(adapter.observe())

    sent = [adapter.sign(asked, NOW, 0).headers for _ in range(2)]

    traces = {headers["X-Trace-Id"] for headers in sent}
    assert len(traces) == 2
    assert all(len(trace) == 32 and trace.isalnum() for trace in traces)
    assert sent[0]["Authorization"] == "Bearer t"
    # Nothing that is posted to the API: a key against doing it twice has no place.
    assert "X-Idempotency-Key" not in sent[0]
    older = Provider(V3)
    assert "X-Trace-Id" not in older.sign(next(older.observe()), NOW, 0).headers


# -- tokens


def renewed(bank, customer):
    adapter = Provider(customer.credentials)
    tokens = drive(adapter.refresh(), sender(adapter, bank))
    return tokens, Provider({**customer.credentials, **tokens.credentials})


def look(bank, adapter):
    return drive(adapter.observe(), sender(adapter, bank))


def test_token_is_asked_for_lasts_ten_minutes_and_is_asked_for_again(bank, nia):
    assert Provider(nia.credentials).lacks_token
    tokens, adapter = renewed(bank, nia)
    assert (tokens.expires_in, adapter.lacks_token) == (600, False)
    assert set(tokens.credentials) == set(Provider.issued)

    bank.clock.advance(599)
    assert look(bank, adapter).complete
    bank.clock.advance(1)
    with pytest.raises(errors.AuthenticationFailed):
        look(bank, adapter)

    assert look(bank, renewed(bank, nia)[1]).complete


def test_newer_token_leaves_the_older_one_alive(bank, nia):
    _, first = renewed(bank, nia)
    _, second = renewed(bank, nia)

    assert first.credentials["access_token"] != second.credentials["access_token"]
    assert look(bank, first).complete
    assert look(bank, second).complete


def test_token_that_was_ended_early_is_an_auth_failure(bank, nia):
    _, adapter = renewed(bank, nia)

    bank.do("expire", name="nia")

    with pytest.raises(errors.AuthenticationFailed):
        look(bank, adapter)


def test_without_a_token_only_a_new_one_helps(bank, nia):
    with pytest.raises(errors.AuthenticationFailed):
        look(bank, Provider(nia.credentials))


def test_token_of_the_sandbox_opens_nothing_in_production(bank):
    tess = bank.add_customers(["tess"], version=4, sandbox=True)[0]
    _, adapter = renewed(bank, tess)
    assert look(bank, adapter).complete

    live = Provider({**adapter.credentials, "sandbox": ""})

    with pytest.raises(errors.AuthenticationFailed):
        look(bank, live)


@pytest.mark.parametrize(
    "change",
    [{"client_secret": "other"}, {"client_id": "other"}, {"client_id": ""}],
)
def test_client_that_nobody_knows_needs_a_person(bank, nia, change):
    adapter = Provider({**nia.credentials, **change})

    with pytest.raises(errors.AuthenticationFailed):
        drive(adapter.refresh(), sender(adapter, bank))


def test_secret_key_is_never_renewed(bank, alex):
    adapter = Provider(alex.credentials)

    assert not adapter.lacks_token
    with pytest.raises(errors.AuthenticationFailed, match="replaced"):
        drive(adapter.refresh(), sender(adapter, bank))


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, b'{"error": "unauthorized_client"}', errors.AuthenticationFailed),
        (401, b'{"error": "invalid_client"}', errors.AuthenticationFailed),
        (429, b"", errors.RateLimited),
        (503, b"", errors.Unavailable),
        (200, b'{"access_token": "", "expires_in": 600}', errors.UnexpectedResponse),
        (200, b'{"access_token": "t", "expires_in": 0}', errors.UnexpectedResponse),
        (200, b'{"access_token": "t", "expires_in": "600"}', errors.UnexpectedResponse),
        (200, b'{"access_token": "t", "expires_in": true}', errors.UnexpectedResponse),
        (200, b'{"access_token": "t"}', errors.UnexpectedResponse),
        (200, b"<html>", errors.UnexpectedResponse),
    ],
)
def test_failures_to_get_a_token_have_names(status, body, error):
    call = Provider(V4).refresh()

    with pytest.raises(errors.ProviderError) as raised:
        drive(call, lambda request: Response(status, {}, body))

    assert type(raised.value) is error


def test_identity_host_is_strict(bank, nia, client):
    given = {n: nia.credentials[n] for n in ("client_id", "client_secret")}
    wish = {**given, "grant_type": "client_credentials"}

    assert client(TOKEN, kind="application/json", form=wish)[0] == 401
    assert client(TOKEN, kind=FORM, form={**given, "grant_type": "password"})[0] == 400


# -- what refusals mean


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, b'{"status":"error","message":"x","data":null}', errors.Refused),
        (
            400,
            b'{"status":"error","message":"merchant secret key required","data":null}',
            errors.AuthenticationFailed,
        ),
        (401, b"", errors.AuthenticationFailed),
        (403, b"<html>firewall</html>", errors.AuthenticationFailed),
        (
            403,
            b'{"status":"error","message":"not allowed","data":null}',
            errors.ConsentNeeded,
        ),
        (
            403,
            b'{"status":"failed","error":{"type":"FORBIDDEN","message":"no"}}',
            errors.ConsentNeeded,
        ),
        (429, b'{"status":"error","message":"slow","data":null}', errors.RateLimited),
        (500, b'{"code":"app_error","message":"x"}', errors.Unavailable),
        (
            200,
            b'{"status":"error","message":"x","data":null}',
            errors.UnexpectedResponse,
        ),
        (200, b'{"status":"error","message":"x","data":[]}', errors.UnexpectedResponse),
        (200, b'{"status":"failed","error":{}}', errors.UnexpectedResponse),
        (200, b'{"status":"success","data":{}}', errors.UnexpectedResponse),
        (200, b'{"status":"success","data":[1]}', errors.UnexpectedResponse),
    ],
)
@pytest.mark.parametrize("given", [V3, {**V4, "access_token": "t"}])
def test_refusals_have_names(given, status, body, error):
    with pytest.raises(errors.ProviderError) as raised:
        drive(Provider(given).observe(), lambda r: Response(status, {}, body))

    assert type(raised.value) is error
    assert "FLWSECK" not in str(raised.value)


def test_what_happens_to_a_business_is_told_apart(bank, nia, ask):
    def failure(**more):
        with pytest.raises(errors.ProviderError) as raised:
            ask(nia, **more)
        return raised.value.code

    bank.do("forbid", name="nia")
    assert failure() == "consent_needed"
    bank.do("forbid", name="nia", on=False)
    bank.do("maintenance")
    assert failure() == "unavailable"
    bank.do("maintenance", on=False)
    bank.do("revoke", name="nia")
    assert failure() == "authentication_failed"
    bank.do("rotate", name="nia")
    assert ask(bank.customer("nia")).complete


def test_request_waits_for_no_clock_of_ours(bank, alex):
    """Keys and tokens are not dated by us: a wrong clock of ours changes nothing."""
    adapter = Provider(alex.credentials)
    asked = Request("GET", "/balances", headers=next(adapter.observe()).headers)

    assert adapter.sign(asked, NOW, 1) == adapter.sign(asked, NOW + timedelta(9), 2)
