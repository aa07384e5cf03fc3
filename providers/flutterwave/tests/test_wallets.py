"""What a wallet holds is told exactly, and it keeps its name for ever."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers import errors
from providers.base import Place
from providers.flutterwave import Provider
from providers.flutterwave.currencies import asset_of
from providers.flutterwave.naming import BusinessUnknown
from providers.money import EXACT, Asset, MoneyError
from providers.sandbox.inside import sender
from providers.sandbox.wire import as_json
from providers.wire import Response, drive
from tests.providers.contract.test_wrong_answers import (
    WRONG,
    amounts,
    is_right,
    places,
    value_at,
    with_mark,
)

V3 = {"secret_key": "FLWSECK-1-X"}
V4 = {"client_id": "c", "client_secret": "s", "access_token": "t"}
SOMEBODY = [{"account_id": 73362}]


def observed(*rows, credentials=V3):
    def answer(request):
        data = SOMEBODY if request.path == "/transactions" else list(rows)
        told = {"status": "success", "message": "", "data": data}
        return Response(200, {}, as_json(told).encode())

    return drive(Provider(credentials).observe(), answer)


def wallet(currency="NGN", available=1, ledger=1):
    about = {"currency": currency, "available_balance": available}
    return {**about, "ledger_balance": ledger}


# -- amounts


@given(
    minor=st.integers(-(10**30), 10**30),
    currency=st.sampled_from(["NGN", "UGX", "KWD", "USDC"]),
)
def test_any_amount_of_minor_units_is_read_as_it_is(minor, currency):
    asset = asset_of(currency)
    told = EXACT.scaleb(Decimal(minor), -asset.decimals)

    for credentials in (V3, V4):
        row = wallet(currency, told, 0)
        (reading,) = observed(row, credentials=credentials).readings
        assert (reading.total, reading.available) == (minor, minor)
        assert (reading.asset, reading.kind) == (asset, "wallet")


def test_whole_numbers_are_whole_units_and_never_minor_ones():
    (reading,) = observed(wallet("NGN", 10, Decimal("253125.82"))).readings

    assert (reading.total, reading.available) == (253_135_82, 10_00)


@pytest.mark.parametrize(
    ("available", "ledger", "total"),
    [
        # As in the documented answer, where the ledger holds less than is available.
        (2367840, Decimal("253125.82"), 2_620_965_82),
        (0, Decimal("1226.72"), 1226_72),
        (5, 0, 5_00),
    ],
)
def test_what_is_not_settled_yet_and_what_is_available_are_two_and_both_are_held(
    available, ledger, total
):
    (reading,) = observed(wallet("NGN", available, ledger)).readings

    assert (reading.total, reading.available) == (total, available * 100)


@given(ends=st.tuples(st.integers(-(10**30), 10**30), st.integers(-(10**30), 10**30)))
def test_both_balances_of_version_3_are_added_exactly(ends):
    available, ledger = (EXACT.scaleb(Decimal(minor), -2) for minor in ends)

    (reading,) = observed(wallet("NGN", available, ledger)).readings

    assert (reading.total, reading.available) == (sum(ends), ends[0])


@pytest.mark.parametrize(
    ("currency", "decimals"),
    [
        ("NGN", 2),
        ("USD", 2),
        ("UGX", 0),
        ("RWF", 0),
        ("XAF", 0),
        ("TND", 3),
        ("USDT", 6),
    ],
)
def test_currencies_have_the_decimals_of_iso_4217(currency, decimals):
    assert asset_of(currency).decimals == decimals


@pytest.mark.parametrize("currency", ["", "ngn", "N", "NG1", "₦₦₦", None, 5, "A" * 11])
def test_what_is_no_currency_has_a_name(currency):
    with pytest.raises(MoneyError):
        asset_of(currency)
    with pytest.raises(errors.UnexpectedResponse):
        observed(wallet(), wallet(currency))


@pytest.mark.parametrize(
    "value",
    [Decimal("1.005"), Decimal("1E-3"), "1.00", None, True, [], {}, 10**90, "gone"],
)
@pytest.mark.parametrize("field", ["available_balance", "ledger_balance"])
def test_odd_amount_leaves_its_wallet_unknown_and_no_other(field, value):
    row = wallet("USD") | {field: value}
    if value == "gone":
        del row[field]

    seen = observed(wallet(), row, wallet("UGX"))

    first, odd, last = seen.readings
    assert (odd.total, odd.available, odd.held) == (None, None, 0)
    assert odd.error
    assert (first.total, last.total) == (200, 2)
    assert not seen.complete


def test_wallet_of_version_4_holds_what_is_available():
    row = {"currency": "NGN", "available_balance": Decimal("1200.09")}

    (reading,) = observed(row, credentials=V4).readings

    assert (reading.total, reading.available) == (1200_09, 1200_09)


def test_no_moment_and_no_name_of_a_balance_are_invented():
    for credentials in (V3, V4):
        (reading,) = observed(wallet(), credentials=credentials).readings
        assert (reading.as_of, reading.balance_id, reading.held) == (None, "", 0)


def test_pending_payment_is_in_the_ledger_until_it_is_settled(bank, alex, ask):
    account = alex.account.external_id
    entry = bank.pay(account, 100_00, pending=True)
    before = bank.balance(account) - 100_00

    def first():
        return next(r for r in ask(alex).readings if r.external_id == account)

    was = first()
    assert (was.total, was.total - was.available) == (before + 100_00, 250_25)
    bank.settle(entry.id)
    assert (first().total, first().available) == (was.total, was.available + 100_00)


def test_version_4_reads_what_its_sandbox_holds(bank, nia, ask):
    bank.pay(nia.account.external_id, 2**53 + 1)  # no float holds this

    seen = {r.external_id: r for r in ask(nia).readings}

    assert set(seen) == {h.external_id for h in nia.holdings}
    for holding in nia.holdings:
        held = bank.balance(holding.external_id)
        coming = {"NGN/2": 150_25, "USD/2": 12_03}.get(holding.asset, 0)
        assert seen[holding.external_id].total == held - coming
        assert str(seen[holding.external_id].asset) == holding.asset


def test_wrong_value_of_version_4_is_an_error_or_nothing(bank, nia):
    adapter = Provider(nia.credentials)
    tokens = drive(adapter.refresh(), sender(adapter, bank))
    adapter = Provider({**nia.credentials, **tokens.credentials})
    request = next(adapter.observe())
    answer = sender(adapter, bank)(request)
    told = amounts(drive(adapter.observe(), lambda r: answer)) | {None}
    refused = 0

    for path in places(json.loads(answer.body)):
        right, marked = value_at(answer.body, path), with_mark(answer.body, path)
        for wrong in (w for w in WRONG if not is_right(w, right)):
            bent = marked.replace('"here-stands-what-is-wrong"', wrong).encode()
            spoiled = replace(answer, body=bent)
            try:
                seen = drive(adapter.observe(), lambda r, a=spoiled: a)
            except errors.ProviderError:
                refused += 1
                continue
            assert amounts(seen) <= told, (path, wrong)
            refused += not seen.complete

    assert refused > 100


# -- names


def names(seen):
    return [reading.external_id for reading in seen.readings]


def listed(*rows):
    """Return what the first of two questions is answered with, and then a wallet."""
    answers = iter([rows, [wallet()]])

    def answer(request):
        told = {"status": "success", "message": "", "data": [*next(answers)]}
        return Response(200, {}, as_json(told).encode())

    return answer


@pytest.mark.parametrize("version", [3, 4])
def test_two_businesses_never_share_a_wallet(bank, ask, version):
    one, two = bank.add_customers(["one", "two"], version=version)

    assert set(names(ask(one))).isdisjoint(names(ask(two)))


@pytest.mark.parametrize("version", [3, 4])
def test_wallets_keep_their_names_when_a_secret_is_replaced(bank, ask, version):
    old = bank.add_customers(["rota"], version=version)[0]
    before = names(ask(old))

    bank.do("rotate", name="rota")
    new = bank.customer("rota")

    assert new.credentials != old.credentials
    assert names(ask(new)) == before == [h.external_id for h in new.holdings]
    with pytest.raises(errors.AuthenticationFailed):
        ask(old)


def test_key_of_another_business_never_fills_the_wallets_of_the_first(bank, alex, ask):
    """Whatever was known before: a person may have pasted the wrong key."""
    known = [Place(name, "wallet", None, Asset("NGN", 2)) for name in names(ask(alex))]
    other = bank.add_customers(["other"])[0]

    seen = ask(other, lambda adapter: adapter.observe(known))

    assert set(names(seen)).isdisjoint(names(ask(alex)))


def test_play_money_is_never_taken_for_real_money(bank, ask):
    realms = set()
    for version in (3, 4):
        for sandbox in (False, True):
            shop = f"{version}{sandbox}"
            customer = bank.add_customers([shop], version=version, sandbox=sandbox)[0]
            realms |= {name.split(":")[0] for name in names(ask(customer))}

    assert realms == {"v3", "v3test", "v4", "v4test"}


def test_business_that_nothing_names_is_not_named_by_guessing(bank, ask):
    customer = bank.add_customers(["new"], untouched=True)[0]
    with pytest.raises(BusinessUnknown, match="first transaction"):
        ask(customer)

    bank.pay(customer.account.external_id, 1_00)

    seen = ask(customer)
    assert names(seen) == [h.external_id for h in customer.holdings]
    assert seen.readings[0].total == 1_00


def test_merchant_is_one_and_the_same_as_text_and_as_a_number():
    for row in ({"account_id": 73362}, {"account_id": "73362"}):
        assert names(drive(Provider(V3).observe(), listed(row))) == ["v3:73362:NGN"]


@pytest.mark.parametrize(
    "told", ["", "-5", 0, -5, 1.5, True, None, [], "x", "٣", 10**20]
)
def test_what_is_no_merchant_names_nothing(told):
    rows = [{"account_id": told}, {"account_id": 73362}]
    for few in (rows, rows[:1], [{}]):
        with pytest.raises(errors.UnexpectedResponse):
            drive(Provider(V3).observe(), listed(*few))


def test_transactions_of_several_merchants_name_none():
    with pytest.raises(BusinessUnknown):
        drive(
            Provider(V3).observe(),
            listed({"account_id": 73362}, {"account_id": "73363"}),
        )


def test_failure_to_tell_the_business_is_no_other_business():
    for status, error in ((404, errors.Refused), (503, errors.Unavailable)):
        with pytest.raises(error):
            drive(
                Provider(V3).observe(), lambda r, s=status: Response(s, {}, b'{"a": 1}')
            )


def test_wallet_that_was_opened_later_is_there(bank, alex, ask):
    opened = bank.do("open_wallet", name="alex", asset="TZS/2")

    assert opened in names(ask(alex))
