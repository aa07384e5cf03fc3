"""Whatever happens to the chain, and whenever: each reading is of one block, and true."""

from __future__ import annotations

import json
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st

from providers import errors
from providers.base import Block
from providers.polygon import Provider, holdings
from providers.polygon.sandbox.world import BRIDGED, PUSD, USDC, address_for
from providers.sandbox.inside import sender
from providers.wire import Response, drive

from .conftest import still
from .test_reading import by_id, places

TOKENS = (USDC, BRIDGED, PUSD, "native")
ends = st.tuples(st.sampled_from(["derived", "proxy"]), st.sampled_from(TOKENS))
happenings = st.lists(
    st.one_of(
        st.tuples(st.just("pay"), ends, st.integers(1, 2**200), st.booleans()),
        st.tuples(st.just("spend"), ends, st.integers(1, 10**6), st.booleans()),
        st.tuples(st.just("pass"), st.integers(1, 30)),
        st.tuples(st.just("reorg"), st.integers(1, 9)),
    ),
    max_size=8,
)


def happen(bank, what, *about):
    if what == "pass":
        bank.clock.advance(*about)
    elif what == "reorg":
        bank.reorg(*about)
    else:
        (role, token), amount, pending = about
        account = f"{address_for('alex', role)}:{token}"
        if what == "pay" or bank.balance(account) >= amount:
            getattr(bank, what)(account, amount, pending=pending)


@settings(deadline=None, max_examples=60)
@given(past=happenings)
def test_derived_and_proxy_add_up_to_what_is_held_at_the_block(past):
    bank = still()
    adapter = Provider(bank.demo_world().credentials)
    for one in past:
        happen(bank, *one)

    seen = drive(adapter.observe(), sender(adapter, bank))

    assert seen.complete
    for token in TOKENS:
        mine = [r for id, r in by_id(seen).items() if id.endswith(f":{token}")]
        held = [bank.held_at(r.external_id, r.block.number) for r in mine]
        assert sum(r.total for r in mine) == sum(held)
        assert all(r.available == min(r.total, r.unconfirmed) for r in mine)
        assert all(r.available + r.held == r.total for r in mine)


@settings(deadline=None, max_examples=60)
@given(
    past=happenings,
    between=st.lists(happenings, min_size=2, max_size=7),
    depth=st.integers(1, 9),
    one_by_one=st.booleans(),
    twice=st.booleans(),
    most=st.sampled_from([4, 600]),
)
def test_reorganisation_between_any_two_steps_never_yields_a_mixture(
    past, between, depth, one_by_one, twice, most
):
    bank = still()
    adapter = Provider(bank.demo_world().credentials)
    bank.configure(extra={"finality": 5, "lists": "no" if one_by_one else "yes"})
    for one in past:
        happen(bank, *one)
    known = places(drive(adapter.observe(), sender(adapter, bank)))
    send, steps, truths = sender(adapter, bank), iter(between), []

    def disturbed(request):
        answer = send(request)
        truths.append(truth(bank))
        for one in next(steps, ()):
            happen(bank, *one)
        bank.reorg(depth)
        return without_last_look(answer) if twice and not one_by_one else answer

    try:
        with mock.patch.object(holdings, "MOST_CALLS", most):
            seen = drive(adapter.observe(known), disturbed)
    except errors.Unavailable:
        return
    (block,) = {r.block for r in seen.readings}
    figures = {r.external_id: r.total for r in seen.readings}
    assert any(t.get(block) == figures for t in truths)


def without_last_look(answer):
    """Return a list in which the last question has no block: all is asked again."""
    rows = json.loads(answer.body)
    last = max(rows, key=lambda row: row["id"])
    return Response(
        200,
        {},
        json.dumps(
            [{**r, "result": None} if r is last and len(rows) > 3 else r for r in rows]
        ).encode(),
    )


def truth(bank):
    """Return what was held at each of the last blocks, as they are now."""
    top = bank.chain.top(bank.now)
    known = list(bank.ledger.holders)
    return {
        bank_block(bank, n): {h: bank.held_at(h, n) for h in known}
        for n in range(max(0, top - 60), top + 1)
    }


def bank_block(bank, number):
    return Block(number, bank.chain.hash(number))


@settings(deadline=None, max_examples=60)
@given(
    failing=st.sets(st.sampled_from([USDC, BRIDGED, PUSD])),
    how=st.sampled_from(["revert", "empty"]),
    first=st.booleans(),
)
def test_part_never_looks_whole(failing, how, first):
    bank = still()
    adapter = Provider(bank.demo_world().credentials)
    known = [] if first else places(drive(adapter.observe(), sender(adapter, bank)))
    for token in failing:
        bank.fail_token(token, how)

    seen = drive(adapter.observe(known), sender(adapter, bank))

    told = {id for id, r in by_id(seen).items() if r.total is not None}
    assert seen.complete == (not failing)
    assert told == {
        h for h in bank.ledger.holders if h.partition(":")[2] not in failing
    }
