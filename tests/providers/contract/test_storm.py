"""Hundreds of transfers through a line on which everything goes wrong."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

import providers
from providers import errors, sandbox
from providers.base import MovesMoney
from providers.sandbox.inside import sender
from providers.wire import drive

from .parties import able, place

ACTIONS = [
    "act_then_drop",
    "act_then_500",
    "drop_before",
    "late_apply",
    "garbage",
    "truncated",
    "nan",
    "negative",
    "wrong_currency",
    "429",
    "5xx",
]
orders = st.lists(
    st.tuples(
        st.integers(0, 4),  # which transfer: the same ones come again and again
        st.none() | st.sampled_from(ACTIONS),
        st.integers(0, 90),  # seconds that pass before
    ),
    max_size=25,
)


def planned(customer):
    """Return five transfers with frozen ends and amounts, the last one too large."""
    account, *pots = [place(customer.account), *map(place, customer.pots[:2])]
    return [
        (account, pots[0], 100_00),
        (pots[0], account, 50_00),
        (account, pots[1], 1),
        (pots[1], account, 70_00),
        (account, pots[0], 10**12),
    ]


def play(bank, adapter, plan, made):
    """Send the transfers in the order given, and return which ones were said to be done."""
    ask, done = sender(adapter, bank), set()
    for number, action, pause in made:
        bank.clock.advance(pause)
        if action:
            bank.fault(action, seconds=30)
        source, target, amount = plan[number]
        call = adapter.transfer(source, target, amount, dedupe_id=f"{number}")
        try:
            drive(call, ask)
            done.add(number)
        except errors.ProviderError:
            bank.calm()
    bank.clock.advance(120)  # by now all that came late has come
    return done


@able(MovesMoney)
@settings(deadline=None)
@given(made=orders)
def test_each_transfer_takes_effect_once_and_what_is_said_is_true(slug, made):
    bank = sandbox.create(slug)
    bank.clock.freeze()
    customer = bank.demo_world()
    adapter = providers.load(slug)(customer.credentials)
    plan, held = planned(customer), bank.balances()

    done = play(bank, adapter, plan, made)

    since = bank.clock.now() - timedelta(days=1)
    for number, (source, target, amount) in enumerate(plan):
        entries = bank.moved(f"{number}")
        assert [(e.source, e.target, e.amount) for e in entries] in (
            [],
            [(source.external_id, target.external_id, amount)],
        )
        assert entries or number not in done
        held[source.external_id] -= amount * len(entries)
        held[target.external_id] += amount * len(entries)
        found = adapter.movements_between(source, target, since=since)
        told = drive(found, sender(adapter, bank))
        assert [abs(m.amount) for m in told if m.dedupe_id == f"{number}"] == (
            [amount] if entries else []
        )
    assert bank.balances() == held
    assert min(held.values()) >= 0
