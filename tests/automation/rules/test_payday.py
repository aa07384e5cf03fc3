from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from automation.rules import MovementSeen, TriggerSpec, payday, trigger_problems

NOW = datetime(2026, 1, 30, 12, tzinfo=UTC)
SALARY = MovementSeen(
    "tx_1",
    250000,
    "GBP/2",
    created=NOW - timedelta(hours=3),
    description="BACS 0042 Acme Ltd",
    counterparty="ACME LIMITED",
    category="income",
)
PAYDAY = TriggerSpec("payday", min_amount=200000, pattern="acme")


def found(*movements, trigger=PAYDAY, last_fired=None, now=NOW):
    return payday(trigger, movements, asset="GBP/2", now=now, last_fired=last_fired)


def test_a_salary_is_an_occurrence_named_by_its_own_movement():
    occurrence = found(SALARY)

    assert occurrence.key == "payday:tx_1"
    assert occurrence.at == NOW
    assert occurrence.reason == "Payday: ACME LIMITED"


def test_one_salary_is_one_key_however_often_it_is_seen():
    later = NOW + timedelta(hours=40)

    assert found(SALARY).key == found(SALARY, SALARY, now=later).key


@pytest.mark.parametrize(
    "change",
    [
        {"amount": 199999},
        {"amount": -250000},
        {"declined": True},
        {"pot": "pot_1"},
        {"ours": True},
        {"asset": "EUR/2"},
        {"description": "Refund", "counterparty": "Shop"},
        {"created": NOW - timedelta(days=3, seconds=1)},
    ],
)
def test_what_is_no_salary_starts_nothing(change):
    assert found(replace(SALARY, **change)) is None


@pytest.mark.parametrize(
    "change", [{"amount": 200000}, {"created": NOW - timedelta(days=3)}]
)
def test_the_bounds_themselves_count(change):
    assert found(replace(SALARY, **change)) is not None


@pytest.mark.parametrize(
    ("words", "fits"),
    [
        ({"category": "INCOME"}, True),
        ({"category": "inc"}, False),
        ({"merchant": "acme"}, False),  # this movement names no merchant
        ({"pattern": "ACME limited"}, True),
        ({"pattern": "0042 ACME"}, True),
        ({"max_amount": 250000}, True),
        ({"max_amount": 249999}, False),
    ],
)
def test_pattern_merchant_category_and_amounts_all_have_to_fit(words, fits):
    assert (found(SALARY, trigger=replace(PAYDAY, **words)) is not None) == fits


@pytest.mark.parametrize(
    ("days", "fires"), [(1, False), (6, False), (7, True), (30, True)]
)
def test_the_cooldown_counts_days_from_the_payday_that_succeeded(days, fires):
    last = SALARY.created - timedelta(days=days)

    assert (found(SALARY, last_fired=last) is not None) == fires


def test_a_weekly_salary_that_comes_earlier_in_the_day_is_one_of_its_own():
    last = SALARY.created - timedelta(days=7) + timedelta(hours=6)

    assert found(SALARY, last_fired=last) is not None


def test_days_are_those_of_the_rules_zone():
    late = replace(SALARY, created=datetime(2026, 1, 29, 23, 30, tzinfo=UTC))
    last = datetime(2026, 1, 23, 0, 30, tzinfo=UTC)
    asked = {"asset": "GBP/2", "now": NOW, "last_fired": last}

    assert payday(PAYDAY, [late], **asked, zone="UTC") is None  # the 29th is 6 days on
    assert payday(PAYDAY, [late], **asked, zone="Europe/Paris") is not None  # the 30th


def test_a_bonus_of_the_same_cycle_never_fires_even_when_the_cooldown_is_over():
    bonus = replace(SALARY, external_id="tx_2", created=NOW - timedelta(days=2))
    last = bonus.created - timedelta(days=6)  # the cooldown was over yesterday

    assert found(bonus, last_fired=last) is None


def test_a_salary_tells_how_much_came_and_when():
    occurrence = found(SALARY)

    assert (occurrence.amount, occurrence.happened) == (250000, SALARY.created)


def test_a_failed_payday_starts_no_cooldown():
    # No success is known, so the same salary is offered again under the same key.
    assert found(SALARY, last_fired=None).key == "payday:tx_1"


def test_a_salary_that_was_already_sorted_is_not_offered_after_the_cooldown():
    patient = replace(PAYDAY, look_back_days=30)
    old = replace(SALARY, created=NOW - timedelta(days=9))
    last = NOW - timedelta(days=8)

    assert found(old, trigger=patient, last_fired=last) is None
    fresh = replace(SALARY, external_id="tx_2")
    assert found(old, fresh, trigger=patient, last_fired=last).key == "payday:tx_2"


def test_the_newest_of_several_salaries_counts_in_whatever_order_they_come():
    older = replace(SALARY, external_id="tx_0", created=NOW - timedelta(days=1))

    assert found(older, SALARY).key == found(SALARY, older).key == "payday:tx_1"


# What a trigger may say


@pytest.mark.parametrize(
    "trigger",
    [
        PAYDAY,
        TriggerSpec("manual"),
        TriggerSpec("api", anchor=NOW),
        TriggerSpec("cron", expression="0 9 29 2 1"),
        TriggerSpec("monthly", day="31", business_day="previous", calendar="GB-ENG"),
        TriggerSpec("monthly", weekday=5, nth="last"),
        TriggerSpec("weekly", weekday=7, hour=23, minute=59),
        TriggerSpec("daily", hour=0),
        TriggerSpec("hourly", minute=30),
        TriggerSpec("interval", minutes=5, anchor=NOW),
        TriggerSpec("date_range", start_day=28, end_day=2),
        TriggerSpec("balance", account="a", above=5, rearm=5),
        TriggerSpec("balance", account="a", below=-5, rearm=0),
        TriggerSpec("transaction"),
        TriggerSpec("transaction", max_amount=5, merchant="x", look_back_days=90),
        TriggerSpec("webhook"),
        TriggerSpec("after_rule", rule="r", min_moved=0),
    ],
)
def test_a_trigger_as_the_contract_writes_it_has_no_problems(trigger):
    assert trigger_problems(trigger, "GBP/2") == []


@pytest.mark.parametrize(
    ("trigger", "field", "code"),
    [
        (TriggerSpec("moon"), "kind", "unknown_kind"),
        (TriggerSpec("balance", above=5), "account", "missing_account"),
        (TriggerSpec("balance", account="a"), "above", "missing_above"),
        (
            TriggerSpec("balance", account="a", above=5, below=4),
            "below",
            "not_allowed",
        ),
        (
            TriggerSpec("balance", account="a", above=5, rearm=6),
            "rearm",
            "not_in_order",
        ),
        (
            TriggerSpec("balance", account="a", below=5, rearm=4),
            "rearm",
            "not_in_order",
        ),
        (
            TriggerSpec("balance", account="a", above=10**80),
            "above",
            "amount_too_large",
        ),
        (TriggerSpec("balance", account="a", above=5.0), "above", "invalid_amount"),
        (TriggerSpec("transaction", cooldown_days=1), "cooldown_days", "not_allowed"),
        (
            TriggerSpec("transaction", look_back_days=91),
            "look_back_days",
            "out_of_range",
        ),
        (TriggerSpec("webhook", pattern="x"), "pattern", "not_allowed"),
        (TriggerSpec("after_rule"), "rule", "missing_rule"),
        (
            TriggerSpec("after_rule", rule="r", min_moved=-1),
            "min_moved",
            "negative_amount",
        ),
        (TriggerSpec("daily", day="3"), "day", "not_allowed"),
        (TriggerSpec("manual", hour=3), "hour", "not_allowed"),
        (TriggerSpec("daily", hour=24), "hour", "out_of_range"),
        (TriggerSpec("daily", minute=-1), "minute", "out_of_range"),
        (TriggerSpec("weekly"), "weekday", "missing_weekday"),
        (TriggerSpec("weekly", weekday=0), "weekday", "out_of_range"),
        (TriggerSpec("weekly", weekday=8), "weekday", "out_of_range"),
        (TriggerSpec("monthly"), "day", "out_of_range"),
        (TriggerSpec("monthly", day="0"), "day", "out_of_range"),
        (TriggerSpec("monthly", day="32"), "day", "out_of_range"),
        (TriggerSpec("monthly", day="3", weekday=5, nth="1"), "day", "not_allowed"),
        (TriggerSpec("monthly", weekday=5), "nth", "out_of_range"),
        (TriggerSpec("monthly", weekday=5, nth="6"), "nth", "out_of_range"),
        (TriggerSpec("monthly", day="1", nth="2"), "nth", "not_allowed"),
        (
            TriggerSpec("monthly", day="1", business_day="near"),
            "business_day",
            "unknown_choice",
        ),
        (
            TriggerSpec("monthly", day="1", calendar="GB-XX"),
            "calendar",
            "unknown_calendar",
        ),
        (
            TriggerSpec("monthly", day="1", calendar="HolidayBase"),
            "calendar",
            "unknown_calendar",
        ),
        (TriggerSpec("interval"), "minutes", "missing_minutes"),
        (TriggerSpec("interval", minutes=0), "minutes", "out_of_range"),
        (TriggerSpec("date_range", start_day=1), "end_day", "missing_end_day"),
        (TriggerSpec("cron", expression="@daily"), "expression", "invalid_cron"),
        (TriggerSpec("cron", expression="0 0 31 4 *"), "expression", "never_fires"),
        (TriggerSpec("payday"), "min_amount", "missing_min_amount"),
        (TriggerSpec("payday", min_amount=-5), "min_amount", "negative_amount"),
        (TriggerSpec("payday", min_amount=5.0), "min_amount", "invalid_amount"),
        (
            TriggerSpec("payday", min_amount=9, max_amount=8),
            "min_amount",
            "not_in_order",
        ),
        (
            TriggerSpec("payday", pattern="x", look_back_days=0),
            "look_back_days",
            "out_of_range",
        ),
    ],
)
def test_what_is_wrong_with_a_trigger_has_a_field_and_a_code(trigger, field, code):
    problems = trigger_problems(trigger, "GBP/2")

    assert (field, code) in {(problem.field, problem.code) for problem in problems}


def test_a_salary_of_a_day_that_has_not_come_is_none_yet():
    far = replace(SALARY, external_id="far", created=datetime.max.replace(tzinfo=UTC))
    last = NOW - timedelta(days=30)

    occurrence = payday(
        PAYDAY,
        [far, SALARY],
        asset="GBP/2",
        now=NOW,
        last_fired=last,
        zone="Asia/Tokyo",
    )

    assert occurrence.key == "payday:tx_1"
