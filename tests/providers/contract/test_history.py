"""History is complete, in order, and read once, but for what is still pending."""

from __future__ import annotations

from datetime import timedelta

from providers.base import ListsMovements, MovesMoney
from providers.sandbox.inside import sender
from providers.wire import drive

from .parties import able, place, telling


def everything(adapter, ask, account, *, now, since, cursor=""):
    """Return all movements after `cursor`, page after page, and the last cursor."""
    found, more = [], True
    while more:
        history = ask(adapter.movements(account, cursor, now=now, since=since))
        known = {m.external_id for m in found}
        found += [m for m in history.movements if m.external_id not in known]
        cursor, more = history.cursor, history.more
    return found, cursor


@able(ListsMovements)
def test_history_is_complete_where_moments_are_equal(bank, adapter, ask):
    account = place(bank.demo_world().account)
    bank.clock.freeze()
    paid = [
        bank.pay(account.external_id, n + 1, description=f"{n}").id for n in range(250)
    ]
    now = bank.clock.now()

    found, _ = everything(
        adapter, ask, account, now=now, since=now - timedelta(days=30)
    )

    assert [m.external_id for m in found] == paid
    assert [m.amount for m in found] == list(range(1, 251))


@able(ListsMovements)
def test_history_goes_on_where_it_ended(bank, adapter, ask):
    account = place(bank.demo_world().account)
    bank.pay(account.external_id, 100)
    wish = {"now": bank.clock.now(), "since": bank.clock.now() - timedelta(days=30)}
    _, cursor = everything(adapter, ask, account, **wish)

    assert everything(adapter, ask, account, cursor=cursor, **wish)[0] == []
    later = bank.spend(account.external_id, 30, merchant="Café", category="eating_out")

    (found,) = everything(adapter, ask, account, cursor=cursor, **wish)[0]
    assert (found.external_id, found.amount) == (later.id, -30)
    if "merchant" in bank.tells:
        assert (found.merchant, found.category) == ("Café", "eating_out")


@telling("pending")
def test_pending_payment_is_read_again_until_it_is_settled(bank, adapter, ask):
    account = place(bank.demo_world().account)
    pending = bank.spend(account.external_id, 30, pending=True)
    after = bank.pay(account.external_id, 5)
    wish = {"now": bank.clock.now(), "since": bank.clock.now() - timedelta(days=30)}

    first, cursor = everything(adapter, ask, account, **wish)
    assert [m.settled is None for m in first] == [True, False]

    bank.settle(pending.id, amount=28)
    again, cursor = everything(adapter, ask, account, cursor=cursor, **wish)
    assert [(m.external_id, m.amount) for m in again] == [
        (pending.id, -28),
        (after.id, 5),
    ]
    assert all(m.settled for m in again)
    assert everything(adapter, ask, account, cursor=cursor, **wish)[0] == []


@telling("declined")
def test_declined_payment_is_listed_as_having_moved_nothing(bank, adapter, ask):
    account = place(bank.demo_world().account)
    before = bank.balance(account.external_id)
    bank.spend(account.external_id, 30, declined="INSUFFICIENT_FUNDS")
    now = bank.clock.now()

    (found,), _ = everything(
        adapter, ask, account, now=now, since=now - timedelta(days=30)
    )

    assert found.declined == "INSUFFICIENT_FUNDS"
    assert bank.balance(account.external_id) == before


@able(ListsMovements, MovesMoney)
def test_transfers_are_in_the_history_with_their_dedupe_id(bank, adapter, ask, ends):
    account, pot = ends
    ask(adapter.transfer(account, pot, 100, dedupe_id="one"))
    ask(adapter.transfer(pot, account, 40, dedupe_id="two"))
    now = bank.clock.now()

    found, _ = everything(
        adapter, ask, account, now=now, since=now - timedelta(days=30)
    )

    assert [(m.amount, m.dedupe_id, m.pot) for m in found] == [
        (-100, "one", pot.external_id),
        (40, "two", pot.external_id),
    ]


@able(ListsMovements)
def test_history_adds_up_to_the_balance(box, bank, adapter, ask):
    customer = bank.add_customers(["new"], opening=0, pots=0)[0]
    account = place(customer.account)
    for number in range(120):
        box.clock.advance(60)
        bank.pay(account.external_id, 10 + number)
        bank.spend(
            account.external_id, 1 + number, declined="OTHER" * (number % 3 == 0)
        )
    other = type(adapter)(customer.credentials, adapter.urls)
    now = bank.clock.now()

    found, _ = everything(
        other,
        lambda call: drive(call, sender(other, bank)),
        account,
        now=now,
        since=now - timedelta(days=30),
    )

    moved = sum(m.amount for m in found if not m.declined)
    assert moved == bank.balance(account.external_id)
    assert [m.created for m in found] == sorted(m.created for m in found)
