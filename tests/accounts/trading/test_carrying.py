"""Readings are carried on to their end, however often they are interrupted."""

from __future__ import annotations

from collections import Counter

import pytest
from django.db import connection as database

from accounts import services, tasks
from accounts.models import (
    BookCursor,
    Correction,
    SyncRun,
    Trade,
)
from accounts.trading import gains
from providers.errors import RateLimited

from .desk import hurry, read, rows, wipe
from .exchange import history
from .rows import a_position

pytestmark = pytest.mark.django_db


def test_emergency_restores_what_was_wiped_exactly_and_again_changes_nothing(
    connection, bourse
):
    bourse.orders, bourse.trades = history(4, 450, 40)
    bourse.balances = {"A00/8": 1, "A01/8": 2, "A02/8": 3, "A03/8": 4}
    bourse.positions = [a_position(f"p{n}") for n in range(3)]
    read(connection, "emergency")
    before = rows()
    assert len(before["Trade"]) == 450
    wipe()

    run = read(connection, "emergency")

    assert (run.status, rows()) == ("ok", before)
    assert run.progress["found"] == 450 + 40 + 3
    told = Counter(Correction.objects.filter(sync=run).values_list("field", flat=True))
    assert told == {"trade": 450, "order": 40, "position": 3}
    run = read(connection, "emergency")
    assert (run.status, rows()) == ("ok", before)
    assert (run.progress["found"], run.corrections.count()) == (0, 0)
    assert "books wide=True" in bourse.calls


def test_interrupted_recovery_goes_on_where_it_stopped(connection, bourse):
    bourse.orders, bourse.trades = history(1, 950, 0)
    died = {"after": 5}

    def dies(what: str):
        if what.startswith("trades"):
            died["after"] -= 1
            if not died["after"]:
                raise KeyboardInterrupt  # as a worker that is killed
        return None

    bourse.failing = dies
    [run] = services.sync([connection], "emergency")
    with pytest.raises(KeyboardInterrupt):
        services.carry_on(run.pk)
    assert 0 < Trade.objects.count() < 950
    bourse.calls.clear()
    hurry()  # its lease is over

    tasks.carry_on(str(run.pk))

    run.refresh_from_db()
    assert (run.status, Trade.objects.count()) == ("ok", 950)
    assert bourse.calls[0].startswith("trades A00Q 400")
    assert not BookCursor.objects.exclude(sync=None).exists()


def test_wait_that_a_provider_asks_for_is_a_pause_not_a_failure(connection, bourse):
    bourse.orders, bourse.trades = history(1, 350, 0)
    limits = iter([None, RateLimited(retry_after=40), None, RateLimited(retry_after=7)])
    bourse.failing = lambda what: (
        next(limits, None) if what.startswith("trades") else None
    )
    [run] = services.sync([connection], "emergency")
    waited = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        assert services.carry_on(run.pk) is None  # nobody goes on before
        hurry()

    run = services.see_through(run, sleep=sleep)

    assert (run.status, run.error, waited) == ("ok", "", [40, 7])
    assert Trade.objects.count() == 350


def test_beat_finds_what_waits_once_its_time_has_come(connection, bourse):
    bourse.failing = lambda what: (
        RateLimited(retry_after=60) if what == "positions" else None
    )
    [run] = services.sync([connection], "manual")
    assert services.claim_requested() == [run.pk]
    assert services.carry_on(run.pk).seconds == 60

    assert services.claim_requested() == []
    hurry()
    assert services.claim_requested() == [run.pk]


def test_only_one_of_many_reads_at_a_time(connection, bourse):
    [run] = services.sync([connection], "manual")
    bourse.failing = lambda what: (
        services.carry_on(run.pk) if what == "positions" else None
    )

    services.carry_on(run.pk)

    assert bourse.calls.count("positions") == 1


def test_sync_that_somebody_asked_for_is_read_to_the_end_by_its_task(
    connection, bourse, queued
):
    bourse.orders, bourse.trades = history(1, 150, 10)
    run = services.request_sync(connection, "emergency")

    tasks.run_sync(str(run.pk))

    run.refresh_from_db()
    assert (run.status, Trade.objects.count(), queued) == ("ok", 150, [])
    tasks.run_sync(str(run.pk))  # a message may come twice
    assert bourse.calls.count("observe") == 1


def test_batch_leaves_orders_and_trades_to_tasks_of_their_own(
    connection, bourse, queued
):
    tasks.sync_batch([str(connection.pk)], "periodic")

    run = SyncRun.objects.get()
    assert queued == [(tasks.carry_on, str(run.pk))]
    assert bourse.calls == ["observe"]
    tasks.carry_on(str(run.pk))
    run.refresh_from_db()
    assert run.status == "ok"


def test_long_reading_is_handed_on_in_slices(connection, bourse):
    bourse.orders, bourse.trades = history(1, 350, 0)
    [run] = services.sync([connection], "emergency")

    assert services.carry_on(run.pk, seconds=0.0).seconds == 0.0

    run.refresh_from_db()
    assert run.status == "running"
    while later := services.carry_on(run.pk, seconds=0.0):
        assert later.seconds == 0.0
    run.refresh_from_db()
    assert (run.status, Trade.objects.count()) == ("ok", 350)


def test_next_sync_leaves_a_long_reading_to_itself(connection, bourse):
    bourse.orders, bourse.trades = history(1, 350, 0)
    [first] = services.sync([connection], "periodic")
    services.carry_on(first.pk, seconds=0.0)

    [second] = services.sync([connection], "periodic")
    assert (second.status, second.progress) == ("ok", None)
    [person] = services.sync([connection], "manual")
    assert person.status == "running"  # it reads more, and somebody waits for it
    [third] = services.sync([connection], "start_up")
    assert third.status == "ok"

    services.see_through(first, sleep=lambda seconds: hurry())
    first.refresh_from_db()
    assert (first.status, Trade.objects.count()) == ("ok", 350)


@pytest.mark.django_db(transaction=True)
def test_nobody_waits_while_gains_are_worked_out(connection, bourse, monkeypatch):
    bourse.orders, bourse.trades = history(1, 50, 0)
    work_out, inside = gains.work_out, []

    def watched(*told):
        inside.append(database.in_atomic_block)
        return work_out(*told)

    monkeypatch.setattr(gains, "work_out", watched)

    assert read(connection).status == "ok"
    assert inside == [False]


def test_archived_connection_is_read_no_further(connection, bourse):
    bourse.orders, bourse.trades = history(1, 150, 0)
    [run] = services.sync([connection], "manual")
    connection.archive()

    services.carry_on(run.pk)

    run.refresh_from_db()
    assert (run.status, Trade.objects.count()) == ("partial", 0)
    assert "no longer in use" in run.error


def test_emergency_is_no_less_than_an_emergency(connection, bourse):
    manual = services.request_sync(connection, "manual")

    emergency = services.request_sync(connection, "emergency")

    assert emergency != manual
    assert services.request_sync(connection, "emergency") == emergency
