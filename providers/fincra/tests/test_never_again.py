"""Defects of praiseunite/amani-backend's wallet snapshots, read or run: none may be ours."""

from __future__ import annotations

import json

import pytest

from providers import errors
from providers.fincra import Provider
from providers.wire import Response, drive


def test_unknown_wallet_is_no_zero(alex):
    """It stored 0.0 USD as FINCRA's for a wallet that the provider did not know."""
    gone = {"success": False, "error": "Wallet not found", "errorType": "X"}
    body = json.dumps(gone).encode()

    with pytest.raises(errors.Refused):
        drive(Provider(alex.credentials).observe(), lambda r: Response(404, {}, body))
    with pytest.raises(errors.UnexpectedResponse):
        drive(Provider(alex.credentials).observe(), lambda r: Response(200, {}, body))


def test_every_currency_is_a_wallet_of_its_own_tokens_too(alex, ask):
    """It kept one currency of three letters for each wallet: no USDT."""
    seen = ask(lambda p: p.observe()).readings

    assert [str(r.asset) for r in seen] == [
        "NGN/2",
        "USD/2",
        "GBP/2",
        "UGX/0",
        "USDT/6",
    ]
    assert {r.external_id for r in seen} == {h.external_id for h in alex.holdings}


def test_no_figure_is_a_float(bank, alex, ask):
    """Its balances were floats, so 2^53 + 1 was 2^53."""
    bank.pay(alex.account.external_id, 2**63 + 1)

    seen = ask(lambda p: p.observe()).readings

    assert {type(n) for r in seen for n in (r.total, r.available, r.held)} == {int}
    assert seen[0].total == bank.balance(alex.account.external_id)


def test_moment_of_a_balance_is_not_made_up(bank, alex, ask):
    """Its moments were those of the local clock, told as the provider's.

    `updatedAt` is the provider's, but of the last change: a wallet in which nothing moved
    for a month is known as of now, and two changes in one second are two balances.
    """
    bank.pay(alex.account.external_id, 1)
    changed = bank.clock.now().isoformat(timespec="milliseconds")[:-6] + "Z"
    bank.clock.advance(30 * 86400)

    reading = ask(lambda p: p.observe()).readings[0]

    assert reading.as_of is None
    assert reading.details["updated"] == changed


def test_balance_that_returns_to_an_old_value_has_another_id(bank, alex, ask):
    """What is worked out of the figures alone repeats when they do."""

    def named():
        return ask(lambda p: p.observe()).readings[0]

    wallet, told = alex.account.external_id, []
    for move in (bank.pay, bank.spend, bank.pay):
        move(wallet, 100)
        told.append(named())

    assert told[0].total == told[2].total != told[1].total
    assert len({"", *(r.balance_id for r in told)}) == 4
