"""Each wallet is told in the unit that was said, exactly, or not at all."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers import errors
from providers.fincra import Provider
from providers.fincra.amounts import DECIMALS, TOKENS, amount
from providers.fincra.answers import Reader, newest, wallets
from providers.fincra.sandbox.speech import number as spoken
from providers.fincra.sandbox.speech import written
from providers.money import Asset, MoneyError
from providers.sandbox.inside import sender
from providers.wire import drive, parse_json

from .conftest import documented

MINE = "67d8360649685a0012574974"


def wallet(**changes):
    about = documented("examples")["answers"]["GET /wallets"]["data"][0]
    figures = {"ledgerBalance": 900, "availableBalance": 300, "lockedBalance": 600}
    return about | figures | changes


def body(*rows):
    return {"success": True, "message": "", "data": list(rows)}


def read(*rows, scale="major", names=None, why=""):
    return Reader(scale, names or {}, why).observation(wallets(MINE, body(*rows)))


def one(scale="major", **changes):
    (reading,) = read(wallet(**changes), scale=scale).readings
    return reading


# -- units


def test_unit_is_what_was_said_and_never_guessed():
    major, minor = one("major"), one("minor")

    assert (major.total, major.available, major.held) == (90000, 30000, 60000)
    assert (minor.total, minor.available, minor.held) == (900, 300, 600)
    assert major.asset == minor.asset == Asset("NGN", 2)


@pytest.mark.parametrize("scale", ["", "Major", "kobo", "naira", "2", " major", None])
def test_unit_has_to_be_said_in_one_of_two_words(scale):
    given_ = {"business_id": MINE, "api_key": "k", "amount_scale": scale}
    with pytest.raises(errors.BadCredentials, match="major if 1000 stands for"):
        Provider.check_credentials(given_)
    with pytest.raises(errors.BadCredentials):
        drive(Provider(given_).observe(), None)


@pytest.mark.parametrize("business", ["", "me", MINE[:-1], MINE.upper(), MINE + "0"])
def test_business_id_that_is_none_is_refused_when_it_is_typed_in(business):
    with pytest.raises(errors.BadCredentials, match="24 characters"):
        Provider.check_credentials({"business_id": business, "amount_scale": "major"})


@given(st.sampled_from(sorted(DECIMALS)), st.integers(0, 10**30), st.sampled_from("mM"))
def test_every_amount_that_fincra_can_write_is_read_exactly(code, minor, unit):
    asset, scale = Asset(code, DECIMALS[code]), {"m": "minor", "M": "major"}[unit]
    text = written([spoken(minor, asset, scale)])

    (told,) = parse_json(text)

    if scale == "minor" and code in TOKENS and minor:
        with pytest.raises(MoneyError, match="minor unit of"):
            amount(asset, scale, told)
    else:
        assert amount(asset, scale, told) == minor


@pytest.mark.parametrize(
    ("scale", "told"),
    [
        ("major", "900"),
        ("minor", "900"),
        ("major", None),
        ("minor", True),
        ("major", []),
        ("minor", {}),
        ("major", Decimal("0.001")),
        ("major", Decimal("1e2")),
        ("minor", Decimal("0.5")),
        ("minor", Decimal("1E+21")),
        ("major", 10**77),
    ],
)
def test_what_is_no_exact_amount_makes_that_wallet_unknown_and_no_other(scale, told):
    good, bad = wallet(id=1), wallet(id=2, ledgerBalance=told)

    seen = read(good, bad, scale=scale)

    known, unknown = seen.readings
    assert known.total is not None
    assert (unknown.total, unknown.available, unknown.held) == (None, None, 0)
    assert unknown.error.startswith("NGN wallet: ")
    assert {i.external_id for i in seen.invariants} == {"1"}


def test_hundred_and_a_hundred_with_a_fraction_of_nothing_are_the_same():
    assert one(ledgerBalance=Decimal("900.0")).total == 90000
    assert one("minor", ledgerBalance=Decimal("900.00")).total == 900


def test_documented_wallets_with_fractions_of_a_kobo_are_unknown_and_not_rounded():
    told = documented("examples")["answers"]
    for name in ("GET /wallets", "GET /wallets, in the older reference"):
        (row,) = parse_json(written(told[name]))["data"]

        (reading,) = Reader("major", {}).observation([row]).readings

        assert reading.total is None
        assert "is no whole number of" in reading.error


# -- figures


def test_documented_figures_are_told_apart():
    seen = read(wallet())
    (reading,) = seen.readings

    assert reading.external_id == "207151"
    assert (reading.kind, reading.name) == ("wallet", "NGN wallet")
    assert reading.details["updated"] == "2026-09-02T06:06:35.000Z"
    assert [(i.name, i.expected, i.actual) for i in seen.invariants] == [
        ("ledger", 90000, 90000)
    ]


def test_figures_that_do_not_add_up_are_told_as_a_difference():
    (found,) = read(wallet(lockedBalance=599)).invariants

    assert (found.expected, found.actual) == (90000, 89900)


def test_overdrawn_wallet_is_below_zero_and_says_how_far_it_may_go():
    reading = one(
        ledgerBalance=-50,
        availableBalance=-50,
        lockedBalance=0,
        overdraftEnabled=True,
        overdraftLimit=5000,
    )

    assert (reading.total, reading.available) == (-5000, -5000)
    assert reading.details["overdraft_limit"] == "5000"
    assert "overdraft_limit" not in one().details
    assert one(lockedBalance=-1).total is None


@pytest.mark.parametrize(
    ("status", "closed", "usable"),
    [
        ("enabled", False, True),
        ("disabled", False, False),
        ("inactive", False, False),
        ("closed", True, False),
    ],
)
def test_status_says_whether_money_can_move(status, closed, usable):
    reading = one(status=status)

    assert (reading.closed, reading.can_send, reading.can_receive) == (
        closed,
        usable,
        usable,
    )
    assert reading.total == 90000


def test_currency_of_unknown_decimals_is_named_unless_it_holds_nothing():
    empty = {"ledgerBalance": 0, "availableBalance": 0, "lockedBalance": 0}

    seen = read(wallet(currency="XYZ", **empty))
    assert (seen.readings, seen.complete, seen.lacks) == ([], True, "")
    for figure in empty:
        odd = wallet(**{"id": 5, "currency": "XYZ", **empty, figure: 1})
        seen = read(wallet(), odd)
        assert [r.total for r in seen.readings] == [90000]
        assert (seen.complete, seen.lacks) == (
            False,
            "The decimals of 'XYZ' are not known",
        )


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"business": "0" * 24}, "came, not of"),
        ({"id": "207151"}, "is no id"),
        ({"id": 0}, "is no id"),
        ({"currency": None}, "not a text"),
        ({"status": 1}, "not a text"),
        ({"overdraftEnabled": "yes"}, "neither true nor false"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(change, why):
    with pytest.raises((ValueError, TypeError), match=why):
        read(wallet(**change))


def test_same_wallet_twice_and_an_answer_of_no_are_refused():
    with pytest.raises(ValueError, match="twice"):
        read(wallet(), wallet())
    with pytest.raises(ValueError, match="Fincra says no: 'sorry'"):
        wallets(MINE, {"success": False, "error": "sorry"})


# -- names


def log(**changes):
    figures = {"ledger": 900, "available": 300, "locked": 600}
    after = {f"{name}BalanceAfter": value for name, value in figures.items()}
    return {"id": 7, "currency": "NGN", **after, **changes}


def test_newest_entry_of_the_log_names_a_balance_where_it_tells_the_same():
    def name(*entries, **changes):
        names = newest({"success": True, "data": {"results": list(entries)}})
        return read(wallet(**changes), names=names).readings[0].balance_id

    assert name(log(id=6), log(id=8), log(id=9, currency="GHS")) == "8"
    assert name(log(id=6), log(id=8, ledgerBalanceAfter=901)) == ""
    assert name(log(availableBalanceAfter=299)) == ""
    assert name(log(lockedBalanceAfter=Decimal("600.0"))) == "7"
    assert name() == ""


def test_without_the_log_wallets_are_read_all_the_same(bank, adapter, ask):
    bank.fault("garbage", path="/wallets/logs")

    seen = ask(lambda p: p.observe())

    assert seen.complete
    assert all(r.total is not None and not r.balance_id for r in seen.readings)
    assert all("Fincra" in r.details["log"] for r in seen.readings)
    named = ask(lambda p: p.observe()).readings
    assert [bool(r.balance_id) for r in named] == [True, True, True, True, False]


# -- the whole of it


def test_key_that_dies_before_the_log_is_read_is_a_failure(bank, ask):
    bank.fault("refuse", code="authentication_failed", path="/wallets/logs")

    with pytest.raises(errors.AuthenticationFailed):
        ask(lambda p: p.observe())


def test_adapter_reads_each_unit_of_the_sandbox_exactly(bank, alex, ask):
    bank.pay(alex.account.external_id, 2**53 + 1)  # no float holds this

    seen = {r.external_id: r for r in ask(lambda p: p.observe()).readings}

    assert {id: r.total for id, r in seen.items()} == {
        h.external_id: bank.balance(h.external_id) for h in alex.holdings
    }
    assert {str(r.asset) for r in seen.values()} == {h.asset for h in alex.holdings}


def test_key_of_another_business_is_found_out(bank, alex, ask):
    (bea,) = bank.add_customers(["bea"])
    mixed = Provider({**alex.credentials, "api_key": bea.credentials["api_key"]})

    assert ask(lambda p: p.permissions()).read
    with pytest.raises(errors.AuthenticationFailed, match="belongs to the business"):
        drive(mixed.permissions(), sender(mixed, bank))
    with pytest.raises(errors.Refused):
        drive(mixed.observe(), sender(mixed, bank))


def test_blocked_business_is_told(bank, alex, ask, client, payout):
    bank.do("block")

    assert "blocked" in ask(lambda p: p.permissions()).notes[-1]
    assert client("POST", "/disbursements/payouts", payout())[0] == 403


def test_key_that_was_rotated_is_a_failure_and_no_zero(bank, ask):
    bank.do("rotate_key")

    with pytest.raises(errors.AuthenticationFailed):
        ask(lambda p: p.observe())


def test_maintenance_is_a_failure_and_no_zero(bank, ask):
    bank.do("maintenance")

    with pytest.raises(errors.Unavailable):
        ask(lambda p: p.observe())
