"""History: a period, a moment, a file, and a new line of it."""

from __future__ import annotations

import csv
import io
from datetime import timedelta

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import BalanceSnapshot
from accounts.services import history as past
from tests.fixtures_api import ASSET, NOON, V1, expect_problem, fields_of, snapshot

AMOUNTS = [1_000, 1_000, 1_400, 1_350, 9_000]  # one per hour, from NOON on


@pytest.fixture
def history(world):
    for hour, amount in enumerate(AMOUNTS):
        snapshot(world.mine.main, amount, at(hour))
    snapshot(world.mine.pot, 77, at(2))
    return world.mine.main


def at(hours: float):
    return NOON + timedelta(hours=hours)


def text(hours: float) -> str:
    return at(hours).strftime("%Y-%m-%dT%H:%M:%SZ")


def listed(world, account, **query) -> list[int]:
    answer = world.viewer.get(f"{V1}/accounts/{account.pk}/snapshots/", query)
    assert answer.status_code == 200, answer.content
    return [int(row["total"]["minor"]) for row in answer.json()["results"]]


def test_newest_come_first_with_money_as_objects(world, history):
    told = world.viewer.get(f"{V1}/accounts/{history.pk}/snapshots/").json()

    assert [int(r["total"]["minor"]) for r in told["results"]] == AMOUNTS[::-1]
    assert told["results"][0]["held"] == {
        "asset": ASSET,
        "minor": "0",
        "amount": "0.00",
    }


def test_since_counts_and_until_does_not(world, history):
    assert listed(world, history, since=text(1), until=text(3)) == [1_400, 1_000]


@pytest.mark.parametrize(
    ("least", "kept"),
    [
        ("0", AMOUNTS[::-1]),
        ("1", [9_000, 1_350, 1_400, 1_000]),  # the first line is always news
        ("50", [9_000, 1_350, 1_400, 1_000]),
        ("51", [9_000, 1_400, 1_000]),
        ("100000", [1_000]),
        (str(10**77), [1_000]),
    ],
)
def test_min_change_compares_with_the_line_before(world, history, least, kept):
    assert listed(world, history, min_change=least) == kept


def test_small_steps_add_up_until_they_count(world):
    for hour in range(31):
        snapshot(
            world.mine.main, 1_000 + 10 * (hour % 16), at(hour)
        )  # 150 up, then back

    assert listed(world, world.mine.main, min_change="70") == [
        1_140,
        1_070,  # far enough from 1,000
        1_000,
        1_140,
        1_070,
        1_000,
    ]


@given(
    st.lists(st.integers(-30, 30), max_size=25),
    st.integers(1, 40),
    st.integers(-1, 26),
    st.integers(-1, 26),
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_kept_is_what_a_reader_would_keep(world, amounts, least, since, until):
    with transaction.atomic():
        for hour, amount in enumerate(amounts):
            snapshot(world.mine.main, amount, at(hour))
        rows = past.period(world.mine.main, at(since), at(until), least=least)
        found = list(rows.values_list("total", flat=True))
        transaction.set_rollback(True)

    before = amounts[: max(since, 0)]
    last, kept = (before[-1] if before else None), []
    for amount in amounts[max(since, 0) : max(until, 0)]:
        if last is None or abs(amount - last) >= least:
            kept.append(amount)
            last = amount
    assert found == kept[::-1]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"as_of": text(1), "since": text(0)}, "since"),
        ({"as_of": text(1), "until": text(0)}, "until"),
        ({"as_of": text(1), "min_change": "5"}, "min_change"),
        ({"match": "exact"}, "match"),
    ],
)
def test_moment_and_period_are_not_asked_for_together(world, history, query, field):
    answer = world.viewer.get(f"{V1}/accounts/{history.pk}/snapshots/", query)

    assert fields_of(expect_problem(answer, 400)) == {field: "invalid"}


def test_min_change_looks_at_the_line_before_the_period_too(world, history):
    assert listed(world, history, min_change="1", since=text(1)) == [
        9_000,
        1_350,
        1_400,
    ]


@pytest.mark.parametrize(
    "value", ["1_0", "+1", " 1", "-1", "1.0", "٣", "x", str(10**78)]
)
def test_odd_min_change_is_400(world, history, value):
    answer = world.viewer.get(
        f"{V1}/accounts/{history.pk}/snapshots/", {"min_change": value}
    )

    assert fields_of(expect_problem(answer, 400)) == {"min_change": "money"}


@pytest.mark.parametrize(
    ("moment", "match", "found"),
    [
        (0, "exact", [1_000]),
        (0.5, "exact", []),
        (0.5, "before", [1_000]),
        (2, "before", [1_400]),
        (-1, "before", []),
        (99, "before", [9_000]),
        (1.9, "nearest", [1_400]),
        (2.1, "nearest", [1_400]),
        (1.5, "nearest", [1_000]),  # as near to both: the earlier
        (-9, "nearest", [1_000]),
        (99, "nearest", [9_000]),
    ],
)
def test_moment_finds_the_right_line(world, history, moment, match, found):
    assert listed(world, history, as_of=text(moment), match=match) == found


def test_before_is_how_moments_match_if_nothing_is_said(world, history):
    assert listed(world, history, as_of=text(2.9)) == [1_400]


@pytest.mark.parametrize(
    "query",
    [
        {"as_of": "yesterday"},
        {"as_of": "2026-03-01T12:00:00"},  # nobody knows in which zone
        {"as_of": "2026-02-30T12:00:00Z"},
        {"as_of": "2026-W09-1T12:00:00Z"},
        {"since": "2026-03-01"},
        {"until": "1700000000"},
        {"as_of": "2026-03-01T12:00:00Z", "match": "around"},
    ],
)
def test_odd_moments_are_400(world, history, query):
    expect_problem(
        world.viewer.get(f"{V1}/accounts/{history.pk}/snapshots/", query), 400
    )


def test_pages_follow_each_other_without_a_gap_or_a_double(world, history):
    seen, link = [], f"{V1}/accounts/{history.pk}/snapshots/?page_size=2"
    while link:
        told = world.viewer.get(link).json()
        seen += [int(row["total"]["minor"]) for row in told["results"]]
        link = told["next"]

    assert seen == AMOUNTS[::-1]
    back = world.viewer.get(told["previous"]).json()
    assert [int(row["total"]["minor"]) for row in back["results"]] == [1_400, 1_000]


def csv_of(world, account, **query) -> list[list[str]]:
    answer = world.viewer.get(f"{V1}/accounts/{account.pk}/snapshots.csv", query)
    assert answer.status_code == 200
    assert answer.streaming
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert ".csv" in answer.headers["Content-Disposition"]
    return list(csv.reader(io.StringIO(answer.getvalue().decode())))


def test_file_has_every_line_and_exact_amounts(world, history):
    snapshot(history, 123_456_789_012_345_678_901_234_567_890, at(9))

    head, newest, *rest = csv_of(world, history)

    assert head[:4] == ["as_of", "asset", "total_minor", "total"]
    assert newest[:4] == [
        "2026-03-01T21:00:00+00:00",
        ASSET,
        "123456789012345678901234567890",
        "1234567890123456789012345678.90",
    ]
    assert [int(line[2]) for line in rest] == AMOUNTS[::-1]


@pytest.mark.parametrize("accept", ["text/csv", "*/*", "application/json"])
def test_file_comes_whatever_is_accepted_and_its_problems_are_json(
    world, history, accept
):
    def ask(pk):
        path = f"{V1}/accounts/{pk}/snapshots.csv"
        return world.viewer.get(path, headers={"Accept": accept})

    assert ask(history.pk).headers["Content-Type"].startswith("text/csv")
    expect_problem(ask(world.theirs.main.pk), 404, "not_found")


def test_file_takes_the_filters_of_the_list(world, history):
    lines = csv_of(world, history, since=text(1), until=text(4), min_change="51")

    assert [line[2] for line in lines[1:]] == ["1400"]


def test_file_is_written_line_by_line_in_few_queries(
    world, history, django_assert_max_num_queries
):
    BalanceSnapshot.objects.bulk_create(
        BalanceSnapshot(account=history, total=n, available=n, as_of=at(100 + n))
        for n in range(2_500)
    )
    with django_assert_max_num_queries(8):
        assert len(csv_of(world, history)) == 2_500 + len(AMOUNTS) + 1


def test_typed_balance_is_recorded_and_known_at_once(world):
    cash = world.mine.cash
    body = {"total": {"asset": ASSET, "amount": "12.34"}}

    answer = world.operator.post(f"{V1}/accounts/{cash.pk}/snapshots/", body)

    assert answer.status_code == 201
    assert answer.json()["total"]["minor"] == "1234"
    assert answer.json()["source"] == "manual"
    now_held = world.viewer.get(f"{V1}/accounts/{cash.pk}/balance/").json()
    assert now_held["total"]["amount"] == "12.34"


@pytest.mark.parametrize(
    ("total", "code"),
    [
        (5, "money"),
        ("5", "money"),
        (5.0, "money"),
        (None, "null"),
        ([], "money"),
        ({}, "money"),
        ({"asset": ASSET}, "money"),
        ({"asset": ASSET, "minor": 5}, "money"),
        ({"asset": ASSET, "minor": 5.0}, "money"),
        ({"asset": ASSET, "minor": True}, "money"),
        ({"asset": ASSET, "minor": "5.0"}, "money"),
        ({"asset": ASSET, "minor": "1_000"}, "money"),
        ({"asset": ASSET, "minor": "+5"}, "money"),
        ({"asset": ASSET, "minor": " 5"}, "money"),
        ({"asset": ASSET, "minor": "05"}, "money"),
        ({"asset": ASSET, "minor": "٣"}, "money"),
        ({"asset": ASSET, "minor": "５"}, "money"),
        ({"asset": ASSET, "minor": "NaN"}, "money"),
        ({"asset": ASSET, "minor": str(10**78)}, "money"),
        ({"asset": ASSET, "amount": "0.001"}, "money"),
        ({"asset": ASSET, "amount": "1e2"}, "money"),
        ({"asset": ASSET, "amount": "Infinity"}, "money"),
        ({"asset": ASSET, "minor": "5", "amount": "5"}, "money"),
        ({"asset": ASSET, "minor": "5", "value": "5"}, "money"),
        ({"asset": "EUR/2", "minor": "5"}, "money"),
        ({"asset": "GBP/3", "minor": "5"}, "money"),
        ({"asset": 2, "minor": "5"}, "money"),
    ],
)
def test_what_is_no_exact_money_of_the_account_is_400(world, total, code):
    answer = world.operator.post(
        f"{V1}/accounts/{world.mine.cash.pk}/snapshots/", {"total": total}
    )

    assert fields_of(expect_problem(answer, 400)) == {"total": code}
    assert not BalanceSnapshot.objects.exists()


def test_typed_balance_without_an_amount_is_400(world):
    answer = world.operator.post(f"{V1}/accounts/{world.mine.cash.pk}/snapshots/")

    assert fields_of(expect_problem(answer, 400)) == {"total": "required"}


def test_balance_that_a_provider_reports_cannot_be_typed(world):
    answer = world.operator.post(
        f"{V1}/accounts/{world.mine.main.pk}/snapshots/",
        {"total": {"asset": ASSET, "minor": "5"}},
    )

    assert fields_of(expect_problem(answer, 400)) == {"total": "not_typed"}


def test_nobody_counts_tomorrow_s_money(world):
    answer = world.operator.post(
        f"{V1}/accounts/{world.mine.cash.pk}/snapshots/",
        {"total": {"asset": ASSET, "minor": "5"}, "as_of": "2999-01-01T00:00:00Z"},
    )

    expect_problem(answer, 400, "future_moment")


def test_list_takes_few_queries(world, history, django_assert_max_num_queries):
    with django_assert_max_num_queries(5):
        assert listed(world, history)
