"""Defects of praiseunite/amani-backend's wallet snapshots, read or run: none may be ours."""

from __future__ import annotations

import json

import pytest

from providers import errors
from providers.paystack import Provider
from providers.wire import Response, drive

KEY = {"secret_key": "sk_live_abc"}


def answers(*bodies, status=200):
    sent = iter(bodies)
    return lambda request: Response(status, {}, json.dumps(next(sent)).encode())


def test_unknown_wallet_is_no_zero():
    """It stored 0.0 USD for a wallet that the provider did not know."""
    gone = {"status": False, "message": "Entity not found"}

    with pytest.raises(errors.Refused):
        drive(Provider(KEY).observe(), answers(gone, status=404))


def test_every_currency_is_a_wallet_of_its_own(alex, ask):
    """It kept one currency for each wallet, whatever the provider returned."""
    seen = ask(lambda p: p.observe()).readings

    assert [str(r.asset) for r in seen] == ["NGN/2", "GHS/2", "USD/2", "KES/2"]
    assert len({r.external_id for r in seen}) == 4


def test_no_figure_is_a_float(bank, alex, ask):
    """Its balances were floats, so 2^53 + 1 was 2^53."""
    bank.pay(alex.account.external_id, 2**63 + 1)

    seen = ask(lambda p: p.observe()).readings

    assert {type(n) for r in seen for n in (r.total, r.available, r.held)} == {int}
    assert seen[0].total == bank.balance(alex.account.external_id)


def test_moment_of_a_balance_is_not_made_up(ask):
    """Its moments were those of the local clock, told as the provider's."""
    assert {r.as_of for r in ask(lambda p: p.observe()).readings} == {None}


def test_account_is_called_after_the_business_and_never_a_constant(alex, ask):
    """All its wallets had the account `default_account`."""
    ids = {r.external_id for r in ask(lambda p: p.observe()).readings}

    assert ids == {h.external_id for h in alex.holdings}
    assert all(id.startswith("463433:test:") for id in ids)
