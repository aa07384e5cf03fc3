"""A window fires once: on its first day, or on the first later one that suits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db.models import F
from django.utils.timezone import now

from accounts.models import Balance
from automation import services
from automation.models import RuleRun, Trigger
from tests.automation.conftest import gbp, leg

pytestmark = pytest.mark.django_db
WINDOW = {"kind": "date_range", "start_day": 28, "end_day": 3}
START = datetime(2027, 1, 20, 12, tzinfo=UTC)


def day(month, number, hour=9, minute=1):
    return datetime(2027, month, number, hour, minute, tzinfo=UTC)


@pytest.fixture
def written(alice, rule_with):
    """Write a rule for the window at the start of 2027."""

    def write(*, conditional=False, at=START, **more):
        if conditional:
            rich = {"account": str(alice.main.pk), "field": "available", "op": ">="}
            more["conditions"] = {"all": [rich | {"value": gbp(500_00)}]}
        with time_machine.travel(at, tick=False):
            return rule_with(WINDOW, **more)

    return write


@pytest.fixture
def change(alice):
    """Write a rule for windows anew at some moment, with other words."""

    def write(rule, at, trigger, more=()):
        told = services.rule_data(rule) | dict(more)
        told["triggers"] = [WINDOW | trigger]
        with time_machine.travel(at, tick=False):
            services.write_rule(alice.workspace, told, rule=rule)

    return write


def look(moment):
    return services.dispatch_due_rules(moment)


def end(run, status, at):
    RuleRun.objects.filter(pk=run.pk).update(status=status, finished_at=at)


def test_it_is_due_on_the_first_day_and_then_in_the_next_window(written):
    rule = written()
    assert rule.next_due_at == day(1, 28, 9, 0)

    (run,) = look(day(1, 28))
    assert run.key == "date_range:2027-01-28"
    end(run, "skipped_funds", day(1, 28))

    assert [look(day(month, n)) for month, n in ((1, 29), (2, 3))] == [[], []]
    assert len(look(day(2, 28))) == 1


def test_written_within_a_window_it_waits_for_the_next(written):
    assert written(at=day(1, 30)).next_due_at == day(2, 28, 9, 0)


def test_with_conditions_each_day_of_the_window_is_tried_under_its_one_key(written):
    rule = written(conditional=True)
    key = "date_range:2027-01-28"
    for n in (28, 29):
        (run,) = look(day(1, n))
        assert (run.key, look(day(1, n, 10))) == (key, [])
        end(run, "skipped_condition", day(1, n))

    (run,) = look(day(1, 30))
    end(run, "succeeded", day(1, 30))

    assert run.key == key
    assert [look(day(month, n)) for month, n in ((1, 31), (2, 1), (2, 3))] == [[]] * 3
    history = RuleRun.objects.order_by("created").values_list("key", "status")
    assert list(history) == [
        (f"{key}, before 2027-01-29 09:00", "skipped_condition"),
        (f"{key}, before 2027-01-30 09:00", "skipped_condition"),
        (key, "succeeded"),
    ]
    (run,) = look(day(2, 28))
    assert run.key == "date_range:2027-02-28"
    assert rule.runs.count() == 4


def test_a_day_that_is_looked_at_twice_leaves_the_next_one_open(written):
    written(conditional=True)
    (run,) = look(day(1, 28))
    end(run, "skipped_condition", day(1, 28))
    Trigger.objects.update(next_at=day(1, 28, 9, 0))

    assert look(day(1, 28)) == []

    assert len(look(day(1, 29))) == 1


def test_a_window_in_which_the_conditions_never_held_is_over(written):
    written(conditional=True)
    tried = 0
    for moment in (day(1, 20 + n) for n in range(12)):
        for run in look(moment):
            tried += 1
            end(run, "skipped_condition", moment)
    for n in range(1, 10):
        for run in look(day(2, n)):
            tried += 1
            end(run, "skipped_condition", day(2, n))

    assert tried == 7  # 28, 29, 30, 31, 1, 2, 3


@pytest.mark.parametrize("status", ["due", "running", "failed", "skipped_stale"])
def test_what_is_under_way_or_went_wrong_is_not_tried_again(written, status):
    written(conditional=True)
    (run,) = look(day(1, 28))
    RuleRun.objects.update(status=status)

    assert look(day(1, 29)) == []
    assert RuleRun.objects.get().key == run.key


def test_a_day_on_which_nobody_looked_leaves_the_window_open(written):
    written(conditional=True)
    assert look(day(1, 28, 20)) == []  # eleven hours late
    assert RuleRun.objects.get().status == "missed"

    assert len(look(day(1, 29))) == 1


def test_after_days_of_silence_the_newest_day_is_tried(written):
    written(conditional=True)

    (run,) = look(day(1, 31))

    assert run.scheduled_for == day(1, 31, 9, 0)
    assert RuleRun.objects.count() == 1


def test_it_moves_money_on_the_first_day_that_suits(alice, written):
    alice.fill(alice.main, 100_00)
    written(conditional=True)
    trigger = Trigger.objects.get()
    for amount, status in ((100_00, "skipped_condition"), (600_00, "succeeded")):
        alice.fill(alice.main, amount)
        moment = trigger.next_at + timedelta(minutes=1)
        (run,) = look(moment)
        assert services.execute_run(run.pk).status == status
        trigger.refresh_from_db()

    assert alice.holds(alice.pots[0]) == 10_00


def test_it_comes_back_as_it_was_written(written):
    (told,) = services.rule_data(written())["triggers"]

    assert told == WINDOW | {"hour": 9, "minute": 0}


@pytest.mark.parametrize("conditional", [False, True])
@pytest.mark.parametrize(
    ("trigger", "rule", "hour"),
    [({"hour": 10}, {}, 10), ({}, {"timezone": "America/New_York"}, 14)],
)
def test_a_window_that_has_fired_does_not_at_another_hour(
    written, change, conditional, trigger, rule, hour
):
    kept = written(conditional=conditional)
    (run,) = look(day(1, 28))
    end(run, "succeeded", day(1, 28))

    change(kept, day(1, 28, 9, 30), trigger, rule)

    assert [look(day(1, n, hour)) for n in (28, 29, 30)] == [[]] * 3
    assert len(look(day(2, 28, hour))) == 1


def test_a_window_that_did_nothing_yet_is_tried_at_each_new_hour(written, change):
    kept = written(conditional=True)
    for hour in (9, 10, 11):
        change(kept, day(1, 28, hour - 1), {"hour": hour})
        (run,) = look(day(1, 28, hour))
        end(run, "skipped_condition", day(1, 28, hour))

    assert set(RuleRun.objects.values_list("key", flat=True)) == {
        "date_range:2027-01-28, before 2027-01-28 10:00",
        "date_range:2027-01-28, before 2027-01-28 11:00",
        "date_range:2027-01-28",
    }


def test_windows_of_one_rule_that_begin_on_one_day_are_one_window(written):
    kept = written(conditional=True)
    told = services.rule_data(kept)
    with time_machine.travel(START, tick=False):
        triggers = [WINDOW, WINDOW | {"end_day": 30, "hour": 18}]
        kept = services.write_rule(
            kept.workspace, told | {"triggers": triggers}, rule=kept
        )
    (run,) = look(day(1, 28))
    end(run, "skipped_condition", day(1, 28))
    (run,) = look(day(1, 28, 18))
    end(run, "succeeded", day(1, 28, 18))

    assert [look(day(1, n, hour)) for n in (29, 30) for hour in (9, 18)] == [[]] * 4
    assert len(look(day(2, 28))) == 1


OLD_KEY = "date_range:2027-01-28T09:00 Europe/London"  # of windows before an upgrade


@pytest.mark.parametrize(
    ("status", "more"), [("succeeded", 0), ("running", 0), ("skipped_condition", 1)]
)
def test_a_run_under_the_key_of_an_older_balsync_is_its_windows_run(
    written, status, more
):
    written(conditional=True)
    (run,) = look(day(1, 28))
    RuleRun.objects.update(key=OLD_KEY, status=status)

    assert len(look(day(1, 29))) == more
    run.refresh_from_db()
    assert run.key == OLD_KEY + ", before 2027-01-29 09:00" * more


def test_days_that_an_older_balsync_set_aside_leave_the_window_open(written):
    written(conditional=True)
    (run,) = look(day(1, 28))
    end(run, "skipped_condition", day(1, 28))
    RuleRun.objects.update(key=f"{OLD_KEY}, before 2027-01-29")

    assert [each.key for each in look(day(1, 29))] == ["date_range:2027-01-28"]


@pytest.mark.parametrize("status", ["due", "running"])
def test_a_day_that_is_still_under_way_leaves_the_next_one_open(written, status):
    written(conditional=True, max_lateness_seconds=2 * 86_400)
    (run,) = look(day(1, 28))
    RuleRun.objects.update(status=status)
    assert look(day(1, 29)) == []

    end(run, "skipped_condition", day(1, 29, 12))

    assert len(look(day(1, 30))) == 1


@pytest.fixture
def unreadable(alice, bank):
    """Let nothing be read on a day, from morning until it is too late."""

    def carry_out(run):
        ago, due = timedelta(days=1), run.scheduled_for
        Balance.objects.update(fetched_at=F("fetched_at") - ago, as_of=F("as_of") - ago)
        bank.fault("refuse", times=None, method="GET")
        assert services.execute_run(run.pk).status == "due"
        late = {"scheduled_for": now() - ago, "next_attempt_at": now()}
        RuleRun.objects.filter(pk=run.pk).update(**late)
        bank.calm()
        ended = services.execute_run(run.pk)
        RuleRun.objects.filter(pk=run.pk).update(scheduled_for=due)
        return ended.status

    return carry_out


def test_where_nobody_knew_whether_the_conditions_hold_the_next_day_is_tried(
    alice, written, unreadable
):
    alice.fill(alice.main, 600_00)
    written(conditional=True)
    (run,) = look(day(1, 28))
    assert unreadable(run) == "skipped_stale"

    (run,) = look(day(1, 29))

    assert run.key == "date_range:2027-01-28"
    assert services.execute_run(run.pk).status == "succeeded"
    assert look(day(1, 30)) == []
    assert alice.holds(alice.pots[0]) == 10_00


def test_where_the_conditions_held_on_a_day_no_other_is_tried(written, unreadable):
    always = {"field": "date", "op": ">", "value": "2020-01-01"}
    written(conditions={"all": [always]})
    (run,) = look(day(1, 28))

    assert unreadable(run) == "skipped_stale"

    assert [look(day(1, n)) for n in (29, 30)] == [[], []]


@pytest.fixture
def other(alice):
    """The rule that runs where the conditions of the first do not hold."""
    return alice.rule(
        "topup",
        leg(alice.main, "source"),
        leg(alice.pots[1], "target", strategy="fixed", amount=gbp(5_00)),
    )


@pytest.fixture
def either(alice, written, other):
    """Write a rule for a window, with the other one instead."""
    alice.fill(alice.main, 100_00)
    rich = {"account": str(alice.main.pk), "field": "available", "op": ">="}
    rich |= {"value": gbp(500_00)}
    return written(conditions={"all": [rich], "else": str(other.pk)})


def live_through(*moments):
    """Let beat look at each moment, and carry out all that is due then."""
    for moment in moments:
        look(moment)
        while unfinished := RuleRun.objects.unfinished():
            services.execute_run(unfinished[0].pk)


DAYS = [*(day(1, n) for n in range(28, 32)), *(day(2, n) for n in range(1, 4))]


def test_instead_of_a_window_another_rule_runs_once_when_all_days_are_over(
    alice, either, other
):
    live_through(*DAYS[:-1])
    assert not other.runs.exists()

    live_through(DAYS[-1], day(2, 4))

    assert other.runs.get().key == f"else:{either.pk}:date_range:2027-01-28"
    assert (alice.holds(alice.pots[0]), alice.holds(alice.pots[1])) == (0, 5_00)


def test_nothing_runs_instead_of_a_window_whose_conditions_hold_on_its_last_day(
    alice, either, other
):
    live_through(*DAYS[:-1])
    alice.fill(alice.main, 600_00)
    live_through(DAYS[-1], day(2, 4))

    assert not other.runs.exists()
    assert (alice.holds(alice.pots[0]), alice.holds(alice.pots[1])) == (10_00, 0)


def test_a_day_whose_conditions_do_not_hold_says_when_they_are_looked_at_again(either):
    live_through(*DAYS)

    first, *_, last = either.runs.order_by("created")
    assert first.reason == (
        "The conditions do not hold: they are looked at again on 2027-01-29"
    )
    assert first.reason == first.trace[-1]["text"]
    assert last.reason == "The conditions do not hold: another rule runs instead"


def test_a_window_that_gave_way_is_over_whatever_becomes_of_its_days(
    alice, either, other, change
):
    live_through(*DAYS)
    alice.fill(alice.main, 600_00)
    change(either, day(2, 3, 10), {"hour": 18, "end_day": 5})

    live_through(day(2, 3, 18), day(2, 4, 18), day(2, 5, 18))

    assert other.runs.count() == 1
    assert alice.holds(alice.pots[0]) == 0


def test_a_window_that_gave_way_before_an_upgrade_is_over(alice, either):
    (run,) = look(day(1, 28))
    told = "The conditions do not hold: another rule runs instead"
    trace = [{"step": "condition", "account": None, "text": told, "amount": None}]
    end(run, "skipped_condition", day(1, 28))
    key = f"{OLD_KEY}, before 2027-01-29"
    RuleRun.objects.filter(pk=run.pk).update(key=key, trace=trace)
    alice.fill(alice.main, 600_00)

    live_through(*DAYS[1:])

    assert alice.holds(alice.pots[0]) == 0


def test_of_windows_that_begin_on_one_day_the_last_try_of_all_decides(
    alice, either, other
):
    told = services.rule_data(either)
    triggers = [WINDOW, WINDOW | {"hour": 18}]
    with time_machine.travel(START, tick=False):
        told |= {"triggers": triggers}
        services.write_rule(alice.workspace, told, rule=either)
    for moment in DAYS:
        live_through(moment)
        assert not other.runs.exists()
        live_through(moment.replace(hour=18))

    assert other.runs.count() == 1


def test_who_asks_by_hand_within_a_window_asks_for_the_other_rule_at_once(
    either, other, run
):
    live_through(DAYS[0])

    run(either)

    assert other.runs.count() == 1
