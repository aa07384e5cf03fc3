"""What a rule would have done, over REST: from stored snapshots and transactions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from accounts.models import Transaction
from automation.models import Rule, RuleRun, Transfer, Trigger
from automation.services import replay
from tests.fixtures_api import ASSET, V1, expect_problem, fields_of, snapshot

pytestmark = pytest.mark.django_db
FIRST = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def rule(world) -> Rule:
    """Every day at nine: all but a penny goes into the pot."""
    found = world.mine.rule
    Trigger.objects.create(rule=found, kind="daily", hour=9)
    return found


@pytest.fixture
def stored(world) -> None:
    """500.01 on the first day, 20.00 more on the third."""
    snapshot(world.mine.main, 500_01, FIRST)
    snapshot(world.mine.main, 520_01, FIRST + 2 * DAY)
    snapshot(world.mine.pot, 0, FIRST)


def ask(world, rule, **body):
    told = {"since": "2026-03-01", "until": "2026-03-03"} | body
    return world.operator.post(f"{V1}/rules/{rule.pk}/replay/", told)


def totals(told) -> list[tuple[str, str]]:
    return [(row["outcome"], row["total"]["amount"]) for row in told["rows"]]


def test_a_replay_tells_each_occurrence_and_what_it_comes_to(world, rule, stored):
    answer = ask(world, rule)

    assert answer.status_code == 200, answer.content
    told = answer.json()
    assert totals(told) == [
        ("planned", "500.00"),
        ("skipped_funds", "0.00"),
        ("planned", "20.00"),
    ]
    assert told["rows"][0]["due"] == "2026-03-01T09:00:00Z"
    assert told["rows"][0]["readings"][0]["as_of"].startswith("2026-03-01T00:00:00")
    assert told["totals"]["occurrences"] == 3
    assert told["totals"]["moved"]["amount"] == "520.00"
    assert told["totals"]["outcomes"] == {"planned": 2, "skipped_funds": 1}
    assert [
        (each["account"], each["into"]["amount"], each["out_of"]["amount"])
        for each in told["totals"]["accounts"]
    ] == [
        (str(world.mine.main.pk), "0.00", "520.00"),
        (str(world.mine.pot.pk), "520.00", "0.00"),
    ]
    assert told["not_played"] == ["manual"]


def test_without_carrying_each_occurrence_stands_alone(world, rule, stored):
    told = ask(world, rule, carry=False).json()

    assert [total for _, total in totals(told)] == ["500.00", "500.00", "520.00"]
    assert told["carry"] is False


def test_a_replay_moves_nothing_and_leaves_no_run(world, rule, stored):
    before = RuleRun.objects.count(), Transfer.objects.count()

    ask(world, rule)

    rule.refresh_from_db()
    assert (RuleRun.objects.count(), Transfer.objects.count()) == before
    assert rule.last_success_at is None


def test_before_the_first_snapshot_the_outcome_says_so(world, rule):
    snapshot(world.mine.main, 500_01, FIRST + DAY)
    snapshot(world.mine.pot, 0, FIRST + DAY)
    Rule.objects.filter(pk=rule.pk).update(max_lateness_seconds=3600)

    told = ask(world, rule).json()

    assert told["rows"][0]["outcome"] == "skipped_stale"
    assert "not known" in told["rows"][0]["reason"]
    assert told["rows"][0]["readings"][0]["available"] is None
    assert told["rows"][1]["outcome"] == "planned"


def test_what_it_really_moved_is_not_moved_twice(world, rule, stored):
    """Its transfer of the first day shows in the snapshot of ten o'clock."""
    at = FIRST + timedelta(hours=9)
    run = RuleRun.objects.create(
        rule=rule, key="d1", trigger_kind="daily", scheduled_for=at, status="succeeded"
    )
    Transfer.objects.create(
        id=uuid4(),
        run=run,
        move=0,
        source=world.mine.main,
        target=world.mine.pot,
        amount=500_00,
        asset=ASSET,
        status="done",
        first_sent_at=at,
        settled_at=at + timedelta(seconds=2),
    )
    snapshot(world.mine.main, 1, at + timedelta(hours=1))
    snapshot(world.mine.pot, 500_00, at + timedelta(hours=1))

    told = ask(world, rule, until="2026-03-02").json()

    assert totals(told) == [("planned", "500.00"), ("skipped_funds", "0.00")]


def test_a_payday_is_found_among_stored_transactions(world, rule, stored):
    rule.triggers.all().delete()
    Trigger.objects.create(rule=rule, kind="payday", min_amount=1_000_00)
    paid = FIRST + timedelta(hours=30)
    Transaction.objects.create(
        account=world.mine.main,
        external_id="salary",
        amount=2_000_00,
        asset=ASSET,
        created=paid,
        settled=paid,
        counterparty="ACME",
    )
    snapshot(world.mine.main, 2_500_01, paid + timedelta(minutes=5))

    (row,) = ask(world, rule).json()["rows"]

    assert (row["trigger"], row["why"]) == ("payday", "Payday: ACME")
    assert row["at"] == "2026-03-02T06:05:00Z"
    assert row["total"]["amount"] == "2500.00"


def test_days_are_those_of_the_rules_zone(world, rule, stored):
    """Nine o'clock in Tokyo is midnight in UTC: the first day begins the day before."""
    Rule.objects.filter(pk=rule.pk).update(timezone="Asia/Tokyo")

    told = ask(world, rule, until="2026-03-01").json()

    assert (told["since"], told["until"]) == (
        "2026-02-28T15:00:00Z",
        "2026-03-01T15:00:00Z",
    )
    assert [row["due"] for row in told["rows"]] == ["2026-03-01T00:00:00Z"]


def test_the_future_has_no_past(world, rule, stored):
    now = datetime.now(UTC)
    since = (now - DAY).isoformat()

    told = ask(world, rule, since=since, until=(now + 30 * DAY).isoformat()).json()

    assert datetime.fromisoformat(told["until"]) < now + timedelta(minutes=5)
    assert len(told["rows"]) <= 2


MISTAKES = {
    "backwards": ({"until": "2026-02-01"}, "since", "out_of_range"),
    "401 days": (
        {"since": "2025-01-01", "until": "2026-02-05"},
        "since",
        "out_of_range",
    ),
    "in the future": (
        {"since": "2099-01-01", "until": "2099-01-02"},
        "since",
        "out_of_range",
    ),
    "a number": ({"since": 5}, "since", "invalid"),
    "no day": ({"since": "2026-02-30"}, "since", "invalid"),
    "a naive time": ({"since": "2026-03-01T09:00:00"}, "since", "invalid"),
    "the last day there is": ({"until": "9999-12-31"}, "until", "invalid"),
    "words": ({"carry": "yes"}, "carry", "invalid"),
    "an unknown word": ({"speed": 2}, "speed", "unknown_field"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_what_cannot_be_replayed_is_refused_at_its_field(world, rule, case):
    body, field, code = MISTAKES[case]

    assert fields_of(expect_problem(ask(world, rule, **body), 400)) == {field: code}


def test_a_rule_that_is_due_too_often_is_refused(world, rule):
    Trigger.objects.create(rule=rule, kind="interval", minutes=5, anchor=FIRST)

    told = expect_problem(ask(world, rule, until="2026-03-20"), 400)

    assert fields_of(told) == {"since": "too_many_occurrences"}
    assert "2,000" in told["detail"]


def test_history_before_the_stretch_is_read_once_per_account(
    world, rule, django_assert_max_num_queries
):
    for number in range(50):
        snapshot(world.mine.main, number, FIRST - number * DAY)

    with django_assert_max_num_queries(20):
        played = replay(rule, FIRST, FIRST + DAY)

    assert played.rows
