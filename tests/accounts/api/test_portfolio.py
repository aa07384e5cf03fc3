"""The worth of a workspace over the API: whole or said to be partial, never a guess."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from accounts import services
from accounts.models import Account, Balance, BalanceSnapshot, ExchangeRate
from accounts.portfolio.rates import RateError
from providers.base import Quote
from tests.fixtures_api import V1, account, expect_problem, hold

PORTFOLIO, RATES = f"{V1}/portfolio/", f"{V1}/rates/"
HOUR = timedelta(hours=1)


@pytest.fixture
def whole(world):
    """Let everything be known and read just now."""
    moment = now()
    hold(world.mine.cash, 1_000, moment)
    Balance.objects.update(as_of=moment, fetched_at=moment)
    return world


def foreign_money(world, code: str, held: int):
    made = account(world.mine.connection, code, None)
    Account.objects.filter(pk=made.pk).update(asset=f"{code}/2")
    hold(made, held, now())
    return made


def test_total_is_told_with_its_parts(whole):
    told = whole.viewer.get(PORTFOLIO).json()

    assert told["total"] == {"asset": "GBP/2", "minor": "106000", "amount": "1060.00"}
    assert (told["status"], told["complete"], told["missing"]) == ("ok", True, [])
    values = [one["value"]["minor"] for one in told["providers"]]
    assert sorted(map(int, values)) == [1_000, 105_000]
    assert [one["percent"] for one in told["assets"]] == ["100.00"]


def test_what_is_unknown_old_or_without_a_rate_is_named(whole):
    mine = whole.mine
    Balance.objects.filter(account=mine.cash).delete()
    Balance.objects.filter(account=mine.pot).update(error="no answer")
    coins = foreign_money(whole, "XYZ", 7)

    told = whole.viewer.get(PORTFOLIO).json()

    assert (told["total"]["minor"], told["status"]) == ("105000", "partial")
    named = {
        one["account"]: (one["why"], one["last_good"] and one["last_good"]["minor"])
        for one in told["missing"]
    }
    assert named == {
        str(mine.cash.pk): ("unknown", None),
        str(mine.pot.pk): ("stale", "5000"),
        str(coins.pk): ("no_rate", "7"),
    }


def test_base_and_rates_are_used_and_old_ones_are_said_to_be_old(whole):
    foreign_money(whole, "EUR", 1_000)

    told = whole.viewer.get(PORTFOLIO, {"base": "EUR"}).json()

    assert told["total"]["minor"] == str(round(106_000 / 0.85) + 1_000)
    [rate] = told["rates"]
    assert (rate["value"], rate["source"], rate["stale"]) == ("0.85", "typed", True)
    assert told["status"] == "stale"
    assert {one["why"] for one in told["missing"]} == {"stale_rate"}
    expect_problem(whole.viewer.get(PORTFOLIO, {"base": "USD"}), 400, "invalid")
    assert whole.viewer.get(PORTFOLIO, {"base": "USD/2"}).json()["total"] is None


def test_history_is_worked_out_by_column_and_ends_with_the_total(whole):
    mine, moment = whole.mine, now()
    BalanceSnapshot.objects.bulk_create(
        BalanceSnapshot(
            account=held, total=n, available=n, as_of=moment - n * HOUR - HOUR / 2
        )
        for held in (mine.main, mine.pot, mine.cash)
        for n in range(1, 60)
    )
    with CaptureQueriesContext(connection) as asked:
        told = whole.viewer.get(PORTFOLIO, {"range": "24h"}).json()

    [line] = told["history"]["lines"]
    assert line[0]["total"]["minor"] == str(3 * 24)  # what was held before, carried in
    assert line[-1]["total"] == told["total"]
    assert told["change"]["then"]["minor"] == str(3 * 24)
    assert len(asked) < 20
    expect_problem(whole.viewer.get(PORTFOLIO, {"range": "2d"}), 400, "invalid")


def test_rate_is_kept_in_place_of_the_old_one(world):
    def keep(value, **more):
        body = {"base": "EUR", "quote": "GBP", "value": value, **more}
        return world.admin.post(RATES, body)

    assert keep("0.86").json()["id"] == str(world.mine.rate.pk)
    assert world.viewer.get(RATES).json()["results"][0]["value"] == "0.86"
    inverse = {"base": "GBP", "quote": "EUR", "value": "1.2"}
    expect_problem(world.admin.post(RATES, inverse), 400, "rate_cycle")
    expect_problem(keep("1", as_of="2999-01-01T00:00:00Z"), 400, "rate_invalid")
    for bad in ("0", "-1", "1e3", "NaN", "1_0", 1, "0." + "1" * 19):
        expect_problem(keep(bad), 400, "invalid")


def test_newest_quote_of_a_ticker_is_kept_beside_what_people_say(world):
    workspace, moment = world.mine.workspace, now()

    def kept(value, age):
        told = Quote("BTC", "GBP", Decimal(value), moment - age)
        return services.keep_quotes(workspace, "exchange", [told])

    assert [kept("50000", HOUR), kept("49000", 2 * HOUR), kept("51000", 0 * HOUR)] == [
        1,
        0,
        1,
    ]
    assert services.table_of(workspace).worth("BTC", "GBP").value == 51_000
    services.keep_rate(workspace, "BTC", "GBP", Decimal(48_000))
    assert services.table_of(workspace).worth("BTC", "GBP").value == 48_000
    assert ExchangeRate.objects.filter(workspace=workspace, base="BTC").count() == 2
    with pytest.raises(RateError):
        kept("NaN", HOUR)
