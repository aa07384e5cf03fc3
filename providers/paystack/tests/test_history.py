"""The ledger is told whole, oldest first, whatever arrives while it is read."""

from __future__ import annotations

from datetime import timedelta

import pytest

from providers import errors
from providers.base import Place
from providers.paystack import history
from providers.sandbox.inside import sender
from providers.wire import drive
from tests.fixtures_still import NOW

WISH = {"now": NOW, "since": NOW - timedelta(days=30)}


def place(wallet):
    return Place(wallet, "wallet")


def everything(adapter, ask, wallet):
    found, cursor, more = [], "", True
    while more:
        told = drive(adapter.movements(place(wallet), cursor, **WISH), ask)
        found += told.movements
        cursor, more = told.cursor, told.more
    return found, cursor


def test_each_account_has_its_own_entries(bank, alex, adapter):
    ngn, ghs = (h.external_id for h in alex.holdings[:2])
    bank.pay(ngn, 5)
    bank.spend(ghs, 7, description="Supplier", model="Transfer")

    (mine,), _ = everything(adapter, sender(adapter, bank), ghs)

    assert (mine.amount, mine.description, str(mine.asset)) == (-7, "Supplier", "GHS/2")
    assert mine.settled == mine.created == NOW
    assert mine.metadata["cause"].startswith("Transfer ")


def test_entries_that_arrive_between_pages_are_lost_nowhere(
    bank, alex, adapter, monkeypatch
):
    monkeypatch.setattr(history, "PAGE", 3)
    wallet, send = alex.account.external_id, sender(adapter, bank)
    made = [bank.pay(wallet, n + 1).id for n in range(10)]

    def busy(request):
        answer = send(request)
        made.append(bank.pay(wallet, 100).id)
        return answer

    told = drive(adapter.movements(place(wallet), "", **WISH), busy)
    later = drive(adapter.movements(place(wallet), told.cursor, **WISH), send)

    ids = [m.external_id for m in [*told.movements, *later.movements]]
    assert ids == made


def test_more_than_one_call_can_hold_is_told_from_the_oldest_on(
    bank, alex, adapter, monkeypatch
):
    monkeypatch.setattr(history, "PAGE", 4)
    monkeypatch.setattr(history, "MOST_PAGES", 2)
    wallet = alex.account.external_id
    made = [
        bank.pay(wallet, n + 1, when=NOW - timedelta(days=29 - n)).id for n in range(25)
    ]

    found, cursor = everything(adapter, sender(adapter, bank), wallet)

    assert [m.external_id for m in found] == made
    assert cursor.startswith(f"{made[-1]}@")


def test_span_that_grows_too_long_while_it_is_read_is_told_from_the_oldest_on(
    bank, alex, adapter, monkeypatch
):
    monkeypatch.setattr(history, "PAGE", 2)
    monkeypatch.setattr(history, "MOST_PAGES", 3)
    wallet, send = alex.account.external_id, sender(adapter, bank)
    made = [
        bank.pay(wallet, 1, when=NOW - timedelta(days=25 - 4 * n)).id for n in range(6)
    ]

    def busy(request):
        answer = send(request)
        if len(made) < 9:
            made.append(bank.pay(wallet, 100).id)
        return answer

    found, _ = everything(adapter, busy, wallet)

    assert [m.external_id for m in found] == made


def test_more_at_one_moment_than_can_be_read_is_an_error(
    bank, alex, adapter, monkeypatch
):
    monkeypatch.setattr(history, "PAGE", 1)
    monkeypatch.setattr(history, "MOST_PAGES", 2)
    for _ in range(5):
        bank.pay(alex.account.external_id, 1)

    with pytest.raises(errors.UnexpectedResponse, match="one moment"):
        everything(adapter, sender(adapter, bank), alex.account.external_id)
