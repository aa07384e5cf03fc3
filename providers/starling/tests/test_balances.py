"""Money is told where it is, and what is not known of it is said."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from providers import errors
from providers.base import Place
from providers.sandbox.inside import sender
from providers.starling import Provider
from providers.wire import Response, drive
from tests.providers.contract.parties import place

UNKNOWN = "e67b6e7c-323f-4dfa-919a-5f835b28cfa0"


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
            new = {
                **rows[0],
                "accountUid": UNKNOWN,
                "accountType": "NEWEST",
                "name": "Isa",
            }
            return Response(200, {}, json.dumps({"accounts": [*rows, new]}).encode())
        return send(
            replace(request, path=request.path.replace(UNKNOWN, main.external_id))
        )

    for known in ([], [place(alex.account), Place(UNKNOWN, "other", None, main.asset)]):
        seen = drive(adapter.observe(known), one_more)

        odd = next(r for r in seen.readings if r.external_id == UNKNOWN)
        assert (odd.total, odd.available, odd.kind) == (None, None, "other")
        assert "type" in odd.error
        assert not seen.complete
        assert len(seen.readings) == len(whole.readings) + 1
