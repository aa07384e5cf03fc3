"""The short form of `manage.py prove calendar`, and whether it can fail at all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from automation.rules import cron, triggers
from tests.proofs import calendar


@pytest.mark.parametrize("zone", calendar.TWELVE)
def test_every_period_of_a_year_has_exactly_one_occurrence(zone):
    found = calendar.prove([zone], 2026, 1)

    assert found.violations == []
    assert found.occurrences > 3000


def by_offset(day, hour, minute, zone):
    """Read the clock as if gaps were not there."""
    wall = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone)
    return wall.astimezone(UTC)


def second_time(day, hour, minute, zone):
    """Take a repeated hour the second time."""
    wall = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone, fold=1)
    return wall.astimezone(UTC)


@pytest.mark.parametrize("wrong", [by_offset, second_time])
def test_a_wrong_reading_of_the_clock_is_caught(monkeypatch, wrong):
    monkeypatch.setattr(triggers, "instant", wrong)

    assert calendar.prove(["Europe/London"], 2026, 1).violations


def test_a_schedule_that_loses_a_day_is_caught(monkeypatch):
    on = cron.Cron.on
    monkeypatch.setattr(
        cron.Cron, "on", lambda self, day: on(self, day) and day.day != 17
    )

    assert calendar.prove(["UTC"], 2026, 1).violations


def test_hours_that_follow_the_wall_clock_are_caught(monkeypatch):
    def twice(trigger, step, anchor, after):
        found = elapsed(trigger, step, anchor, after)
        jumped = datetime(2026, 3, 29, 1, tzinfo=UTC)
        if found.at < jumped:
            return found
        return triggers.Occurrence(found.key, found.at + timedelta(hours=1), "")

    elapsed = triggers.elapsed
    monkeypatch.setattr(triggers, "elapsed", twice)

    assert calendar.prove(["Europe/London"], 2026, 1).violations


def test_the_command_tells_its_figures_and_how_it_ended(capsys, monkeypatch):
    asked = ["--zones", "UTC", "--years", "1", "--start", "2026", "--workers", "1"]
    assert calendar.main(asked) == 0
    assert "violations              0" in capsys.readouterr().out

    monkeypatch.setattr(triggers, "instant", second_time)
    assert calendar.main([*asked[:1], "Europe/London", *asked[2:]]) == 1
    assert "Europe/London" in capsys.readouterr().out
