"""Each currency is a wallet in whole minor units, named by the ledger or by nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers import errors
from providers.money import Asset
from providers.paystack import Provider
from providers.paystack.answers import balances, observation
from providers.sandbox.inside import sender
from providers.wire import drive

from .conftest import documented

NGN, GHS = Asset("NGN", 2), Asset("GHS", 2)


def entry(**changes):
    about = {
        "integration": 463433,
        "domain": "live",
        "balance": 5000,
        "currency": "NGN",
        "difference": 100,
        "reason": "",
        "model_responsible": "Transaction",
        "model_row": 1,
        "id": 10,
        "createdAt": "2026-01-31T09:00:00.000Z",
        "updatedAt": "2026-01-31T09:00:00.000Z",
    }
    return about | changes


def ledger(*entries):
    meta = {"total": 1, "skipped": 0, "perPage": 100, "page": 1, "pageCount": 1}
    return {"status": True, "message": "", "data": list(entries), "meta": meta}


def held(**amounts):
    found = [{"currency": c, "balance": b} for c, b in amounts.items()]
    return {"status": True, "message": "", "data": found}


def test_documented_answers_are_read():
    answers = documented("examples")["answers"]
    told = balances(answers["GET /balance"])

    seen = observation(told, answers["GET /balance/ledger"])

    (reading,) = seen.readings
    assert (reading.external_id, reading.total) == ("463433:test:NGN", 1700000)
    assert reading.kind == "wallet"
    assert reading.as_of is None
    # The two examples are of different moments, so nothing names the balance.
    assert reading.balance_id == ""
    assert [(i.expected, i.actual) for i in seen.invariants] == [(1700000, 2078224968)]


@given(
    st.dictionaries(
        st.sampled_from(["NGN", "GHS", "USD", "KES", "ZAR"]),
        st.integers(-(10**30), 10**30),
    ),
    st.dictionaries(st.sampled_from(["NGN", "GHS"]), st.integers(-(10**30), 10**30)),
)
def test_figures_are_told_as_they_are_and_named_only_where_the_ledger_agrees(now, last):
    rows = [
        entry(id=n, currency=c, balance=b) for n, (c, b) in enumerate(last.items(), 1)
    ]
    rows.append(entry(id=99, currency="ZAR", balance=0))

    seen = observation(balances(held(**now)), ledger(*rows))

    assert {r.asset.code: r.total for r in seen.readings} == now
    assert all(r.available == r.total for r in seen.readings)
    for reading in seen.readings:
        newest = {**last, "ZAR": 0}.get(reading.asset.code)
        assert bool(reading.balance_id) == (newest == reading.total)
    told = {**last, "ZAR": 0}
    assert {i.external_id.rpartition(":")[2]: i.actual for i in seen.invariants} == {
        c: b for c, b in told.items() if c in now
    }


def test_newest_entry_of_each_currency_counts():
    rows = [
        entry(id=12, currency="GHS", balance=7),
        entry(id=11, balance=5000),
        entry(id=10, balance=4000),
    ]

    seen = observation(balances(held(NGN=5000, GHS=7, USD=0)), ledger(*rows))

    assert {r.external_id: r.balance_id for r in seen.readings} == {
        "463433:NGN": "11",
        "463433:GHS": "12",
        "463433:USD": "",
    }


def test_balance_that_returns_to_an_old_value_has_another_id(bank, alex, ask):
    def named():
        return {r.external_id: r for r in ask(lambda p: p.observe()).readings}[wallet]

    wallet = alex.account.external_id
    bank.pay(wallet, 100)
    first = named()
    bank.spend(wallet, 100)
    between = named()
    bank.pay(wallet, 100)
    last = named()

    assert first.total == last.total != between.total
    assert len({first.balance_id, between.balance_id, last.balance_id, ""}) == 4


def test_money_for_testing_is_never_in_the_account_of_real_money():
    ids = [
        observation(balances(held(NGN=1)), ledger(entry(domain=mode))).readings[0]
        for mode in ("live", "test")
    ]

    assert [r.external_id for r in ids] == ["463433:NGN", "463433:test:NGN"]


def test_two_businesses_share_no_account(bank):
    (ann, bob) = bank.add_customers(["ann", "bob"], opening=100)
    seen = [
        {r.external_id for r in drive(p.observe(), sender(p, bank)).readings}
        for p in (Provider(ann.credentials), Provider(bob.credentials))
    ]

    assert all(seen)
    assert not seen[0] & seen[1]


def test_business_in_which_nothing_ever_moved_has_no_account_yet(bank):
    (new,) = bank.add_customers(["new"], opening=0)
    adapter = Provider(new.credentials)
    ask = sender(adapter, bank)
    before = drive(adapter.observe(), ask)

    bank.pay(new.account.external_id, 1)
    (after,) = drive(adapter.observe(), ask).readings

    assert (before.readings, before.complete) == ([], False)
    assert (after.external_id, after.total) == (new.account.external_id, 1)


def test_money_of_an_unknown_unit_is_named_and_takes_nothing_from_the_others():
    rows = [entry(id=12, currency="XOF", balance=900), entry(id=11)]

    seen = observation(balances(held(NGN=5000, XOF=900)), ledger(*rows))

    assert [(str(r.asset), r.total, r.balance_id) for r in seen.readings] == [
        ("NGN/2", 5000, "11")
    ]
    assert seen.lacks == "The unit of 'XOF' at Paystack is not known"
    assert not seen.complete
    nothing = observation(balances(held(NGN=5000, XOF=0)), ledger(*rows))
    assert (nothing.complete, nothing.lacks) == (True, "")
    alone = observation(balances(held(XOF=900)), ledger(rows[0]))
    assert (alone.readings, alone.complete) == ([], False)
    assert "XOF" in alone.lacks


@pytest.mark.parametrize(
    ("told", "entries", "why"),
    [
        (held(NGN=1), [], "no entry that tells whose"),
        (held(NGN=1), [entry(), entry(integration=2)], "One key has the ledger of"),
        (held(NGN=1), [entry(), entry(domain="test")], "One key has the ledger of"),
        (held(NGN=1.0), [entry()], "not a whole number"),
        (held(NGN="1"), [entry()], "not a whole number"),
        (held(NGN=True), [entry()], "not a whole number"),
        (held(NGN=None), [entry()], "not a whole number"),
        (held(NGN=1), [entry(balance=0.5)], "not a whole number"),
        (held(NGN=1), [entry(id=0)], "is no id"),
        (held(NGN=1), [entry(createdAt="2026-01-31T09:00:00")], "no time zone"),
        (held(NGN=1) | {"status": False, "message": "sorry"}, [entry()], "sorry"),
        (held(NGN=1) | {"data": held(NGN=1)["data"] * 2}, [entry()], "twice"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(told, entries, why):
    with pytest.raises((ValueError, TypeError, LookupError), match=why):
        observation(balances(told), ledger(*entries))


@pytest.mark.parametrize(
    "key", ["", "pk_live_abc", "sk_abc", "sk_live_", "sk_live_a b"]
)
def test_public_keys_are_refused_when_they_are_typed_in(key):
    with pytest.raises(errors.BadCredentials, match="secret key"):
        Provider.check_credentials({"secret_key": key})


def test_secret_keys_of_both_modes_are_taken():
    for key in ("sk_live_0a1B", "sk_test_balsync_vector"):
        Provider.check_credentials({"secret_key": key})


def test_key_that_was_replaced_is_a_failure_and_no_zero(bank, alex, ask):
    fresh = bank.do("roll_key")

    with pytest.raises(errors.AuthenticationFailed):
        ask(lambda p: p.observe())

    assert fresh != alex.credentials["secret_key"]
    adapter = Provider({"secret_key": fresh})
    assert len(drive(adapter.observe(), sender(adapter, bank)).readings) == 4


def test_maintenance_is_a_failure_and_no_zero(bank, alex, ask):
    bank.do("maintenance")
    with pytest.raises(errors.Unavailable):
        ask(lambda p: p.observe())

    bank.do("maintenance", on=False)
    assert ask(lambda p: p.observe()).complete
