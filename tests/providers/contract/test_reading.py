"""Balances are what the institution's books say, or an error with a name."""

from __future__ import annotations

import pytest

import providers
from providers import errors
from providers.base import MovesMoney
from providers.drivers import Blocking
from providers.wire import Response, drive

from .parties import EVERYBODY, able


@pytest.mark.parametrize("slug", EVERYBODY)
@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (401, b"{}", errors.AuthenticationFailed),
        (429, b"{}", errors.RateLimited),
        (418, b"{}", errors.ProviderError),
        (400, b"{}", errors.Refused),
        (500, b"{}", errors.Unavailable),
        (503, b"<html>", errors.Unavailable),
        (504, b"", errors.Unavailable),
        (302, b"{}", errors.UnexpectedResponse),
        (200, b"", errors.UnexpectedResponse),
        (200, b"{}", errors.UnexpectedResponse),
        (200, b"[]", errors.UnexpectedResponse),
        (200, b"null", errors.UnexpectedResponse),
        (200, b"<html>", errors.UnexpectedResponse),
        (200, b'{"error": "sorry"}', errors.UnexpectedResponse),
        (200, b'{"data": NaN}', errors.UnexpectedResponse),
        (200, b'{"a": 1, "a": 2}', errors.UnexpectedResponse),
        (200, b"\xff\xfe", errors.UnexpectedResponse),
        (200, b"[" * 100_000, errors.UnexpectedResponse),
    ],
)
def test_failures_of_a_read_have_names(slug, bank, status, body, error):
    call = providers.load(slug)(bank.credentials()).observe()

    with pytest.raises(error):
        drive(call, lambda request: Response(status, {}, body))


@pytest.mark.parametrize("slug", EVERYBODY)
def test_adapter_reads_what_its_sandbox_holds(bank, adapter, run):
    customer = bank.demo_world()
    bank.pay(customer.account.external_id, 2**53 + 1)  # no float holds this

    seen = run(adapter.observe())

    wanted = {h.external_id: h for h in customer.holdings if not h.closed}
    found = {r.external_id: r for r in seen.readings if not r.closed}
    assert seen.complete
    assert {id: r.total for id, r in found.items()} == {
        id: bank.balance(id) for id in wanted
    }
    assert {id: str(r.asset) for id, r in found.items()} == {
        id: h.asset for id, h in wanted.items()
    }
    assert {id: r.parent for id, r in found.items()} == {
        id: h.parent for id, h in wanted.items()
    }
    assert {id: r.goal for id, r in found.items()} == {
        id: h.goal for id, h in wanted.items()
    }


@pytest.mark.parametrize("slug", EVERYBODY)
def test_figures_that_must_agree_do(bank, adapter, ask):
    bank.demo_world()

    assert all(i.expected == i.actual for i in ask(adapter.observe()).invariants)


@able(MovesMoney)
def test_locked_and_closed_accounts_are_told_apart(bank, adapter, ask):
    seen = {r.external_id: r for r in ask(adapter.observe()).readings}

    for holding in bank.demo_world().holdings:
        if holding.external_id in seen:
            reading = seen[holding.external_id]
            assert reading.closed == holding.closed
            assert reading.can_send == (not holding.locked and not holding.closed)


@pytest.mark.parametrize("slug", EVERYBODY)
def test_lost_answer_to_a_read_means_ask_again(bank, adapter, run):
    bank.fault("act_then_drop", times=None)

    with pytest.raises(errors.Unavailable):
        run(adapter.observe())


@pytest.mark.parametrize("slug", EVERYBODY)
def test_read_that_fails_once_is_asked_again_by_itself(bank, adapter):
    bank.fault("5xx", status=503)

    assert Blocking().run(adapter, adapter.observe()).complete


@pytest.mark.parametrize("slug", EVERYBODY)
@pytest.mark.parametrize("action", ["garbage", "truncated", "duplicate_keys", "nan"])
def test_nonsense_never_becomes_a_balance(bank, adapter, run, action):
    bank.fault(action, times=None)

    with pytest.raises(errors.UnexpectedResponse):
        run(adapter.observe())


@pytest.mark.parametrize("slug", EVERYBODY)
def test_stale_read_shows_the_past_and_not_the_future(bank, adapter, ask):
    account = bank.demo_world().account.external_id
    before = bank.balance(account)
    bank.pay(account, 77)
    bank.fault("read_lag", seconds=30, times=None)

    (reading,) = (
        r for r in ask(adapter.observe()).readings if r.external_id == account
    )

    assert (reading.total, bank.balance(account)) == (before, before + 77)


@pytest.mark.parametrize("slug", EVERYBODY)
@pytest.mark.parametrize(
    "code", ["authentication_failed", "consent_needed", "rate_limited", "unavailable"]
)
def test_what_the_institution_says_gets_its_name(bank, adapter, run, code):
    bank.fault("refuse", code=code, times=None)

    with pytest.raises(errors.ProviderError) as raised:
        run(adapter.observe())

    assert raised.value.code == code
