"""Where a balance is going, as the API says it: exact, and null where nobody knows."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils.timezone import now

from accounts.models import Balance, Source
from tests.fixtures_api import V1, expect_problem, fields_of, hold, snapshot

HOUR = timedelta(hours=1)


def trend(world, account, **query) -> dict:
    answer = world.viewer.get(f"{V1}/accounts/{account.pk}/trend/", query)
    assert answer.status_code == 200, answer.content
    return answer.json()


def rising(account, *amounts: int, confirmed: timedelta = timedelta()):
    """Let an account hold each amount for an hour, the last until it was confirmed."""
    moment = now()
    for age, amount in enumerate(reversed(amounts), 1):
        snapshot(account, amount, moment - age * HOUR)
    Balance.objects.filter(account=account).delete()
    balance = hold(account, amounts[-1], moment - HOUR)
    Balance.objects.filter(pk=balance.pk).update(fetched_at=moment - confirmed)


@pytest.mark.parametrize(
    ("asset", "unit"), [("BTC/8", 10**4), ("SHIB/18", 25 * 10**22), ("GBP/2", 1)]
)
def test_same_course_has_the_same_trend_in_any_asset(world, asset, unit):
    main = world.mine.main
    main.asset = asset
    main.save(update_fields=["asset"])
    rising(main, 100 * unit, 109 * unit, 118 * unit)

    told = trend(world, main)

    assert told["direction"] == "increasing"
    assert (told["strength"][:6], told["r_squared"][:6]) == ("0.2201", "0.8888")
    assert told["volatility"][:6] == "0.0674"
    assert told["percent_change"] == "18.0000"
    assert told["change"] == {
        "asset": asset,
        "minor": str(18 * unit),
        "amount": main.unit.major(18 * unit),
    }
    assert told["mean"]["asset"] == asset
    assert told["count"] == 3
    assert 3 * 3600 - 5 <= told["known_seconds"] <= 3 * 3600


def test_falling_balance_is_decreasing(world):
    rising(world.mine.main, 900, 500, 100)

    told = trend(world, world.mine.main)

    assert (told["direction"], told["change"]["minor"]) == ("decreasing", "-800")
    assert (told["min"]["minor"], told["max"]["minor"]) == ("100", "900")


def test_balance_that_did_not_change_is_carried_through_the_window(world):
    snapshot(world.mine.main, 77, now() - 900 * HOUR)
    Balance.objects.filter(account=world.mine.main).update(total=77, fetched_at=now())

    told = trend(world, world.mine.main, hours=2)

    assert (told["direction"], told["volatility"]) == ("flat", "0.000000")
    assert (told["mean"]["minor"], told["count"]) == ("77", 0)
    assert told["known_seconds"] >= 7190


def test_what_was_not_confirmed_since_is_not_known(world):
    rising(world.mine.main, 10, 30, confirmed=timedelta(minutes=30))

    told = trend(world, world.mine.main)

    assert told["mean"]["minor"] == "17"  # an hour of 10 and half an hour of 30
    assert 5395 <= told["known_seconds"] <= 5400


def test_account_without_news_in_the_window_is_unknown_not_zero(world):
    main = world.mine.main
    snapshot(main, 500, now() - 90 * HOUR)
    Balance.objects.filter(account=main).update(
        as_of=now() - 90 * HOUR, fetched_at=now() - 80 * HOUR
    )

    told = trend(world, main, hours=24)

    assert told["direction"] == "unknown"
    assert told["known_seconds"] == told["count"] == 0
    nulls = {key for key, value in told.items() if value is None}
    assert nulls == {
        *("strength", "r_squared", "volatility", "min", "max", "mean"),
        *("first", "last", "change", "percent_change", "days_until"),
    }


def test_account_that_was_never_read_is_unknown(world):
    assert trend(world, world.mine.cash)["direction"] == "unknown"


def test_counted_money_is_known_until_it_is_counted_again(world):
    cash = world.mine.cash
    snapshot(cash, 20, now() - 10 * HOUR)
    balance = hold(cash, 20, now() - 10 * HOUR)
    Balance.objects.filter(pk=balance.pk).update(source=Source.MANUAL)

    assert trend(world, cash, hours=5)["known_seconds"] >= 17_995


def test_newest_change_counts_though_nothing_confirmed_it_since(world):
    main = world.mine.main
    moment = now() - HOUR
    snapshot(main, 100, moment - HOUR)
    snapshot(main, 160, moment)
    Balance.objects.filter(account=main).update(
        total=160, as_of=moment, fetched_at=moment
    )

    told = trend(world, main)

    assert (told["last"]["minor"], told["change"]["minor"]) == ("160", "60")
    assert (told["direction"], told["mean"]["minor"]) == ("increasing", "100")


def test_empty_account_that_was_filled_has_no_percentage(world):
    rising(world.mine.main, 0, 5_000)

    told = trend(world, world.mine.main)

    assert told["percent_change"] is None
    assert told["change"]["minor"] == "5000"


@pytest.mark.parametrize("hours", ["0", "-1", "1.5", "1e3", "", "x", "9999999"])
def test_odd_hours_are_400(world, hours):
    answer = world.viewer.get(
        f"{V1}/accounts/{world.mine.main.pk}/trend/", {"hours": hours}
    )

    assert fields_of(expect_problem(answer, 400)) == {"hours": "invalid"}


def test_trend_takes_few_queries(world, django_assert_max_num_queries):
    rising(world.mine.main, *range(1, 30))
    with django_assert_max_num_queries(8):
        trend(world, world.mine.main, hours=240)
