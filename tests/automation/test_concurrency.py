"""The same work asked for many times at once, from threads and from processes."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection, connections
from django.utils.timezone import now

from accounts.models import Balance
from automation import services
from automation.machine import Part
from automation.models import RuleRun, Transfer
from automation.services.rows import finish_run, transfer_state
from tests.crash.tracing import cut

from .conftest import gbp, leg, sweep

pytestmark = pytest.mark.django_db(transaction=True)
FIVE = 5


def at_once(work, count=FIVE):
    """Do `work` in `count` threads that begin together."""
    gate = threading.Barrier(count)

    def begin(number):
        try:
            gate.wait(10)
            return work(number)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(begin, range(count)))


def test_one_occurrence_dispatched_five_times_at_once_moves_once(alice, topup, moved):
    def start(_):
        run, created = services.start_run(topup, "daily:2026-01-25", trigger_kind="api")
        services.execute_run(run.pk)
        return created

    created = at_once(start)

    assert sorted(created) == [False] * 4 + [True]
    assert RuleRun.objects.get().status == "succeeded"
    assert list(moved().values()) == [1]
    assert alice.holds(alice.pots[0]) == 300_00


def test_five_rules_on_one_account_never_spend_the_same_money(alice, moved):
    alice.fill(alice.main, 100_00)
    rules = [
        alice.rule(
            "topup",
            leg(alice.main, "source"),
            leg(alice.pots[0], "target", strategy="fixed", amount=gbp(30_00)),
        )
        for _ in range(FIVE)
    ]

    def start(number):
        run, _ = services.start_run(rules[number], "one", trigger_kind="api")
        services.execute_run(run.pk)

    at_once(start)
    for _ in range(FIVE):
        Transfer.objects.update(next_attempt_at=None)
        RuleRun.objects.unfinished().update(next_attempt_at=None)
        sweep()

    assert alice.holds(alice.pots[0]) == 90_00
    assert alice.holds(alice.main) == 10_00
    assert sorted(moved().values()) == [1, 1, 1]
    ends = RuleRun.objects.values_list("status", flat=True)
    assert sorted(ends) == ["skipped_funds"] * 2 + ["succeeded"] * 3


def test_rules_of_many_priorities_at_once_read_again_after_each_other(alice, moved):
    alice.fill(alice.main, 100_00)
    rules = [
        alice.rule(
            "topup",
            leg(alice.main, "source"),
            leg(alice.pots[0], "target", strategy="fixed", amount=gbp(30_00)),
            name=f"Priority {priority}",
            priority=priority,
        )
        for priority in (400, 100, 500, 300, 200)
    ]
    runs = [services.start_run(rule, "one", trigger_kind="daily")[0] for rule in rules]

    at_once(lambda number: services.execute_run(runs[number].pk))
    for _ in range(2 * FIVE):
        Transfer.objects.exclude(settled_at__isnull=False).update(next_attempt_at=None)
        RuleRun.objects.unfinished().update(next_attempt_at=None)
        sweep()

    paid = RuleRun.objects.filter(status="succeeded").values_list(
        "rule__name", flat=True
    )
    assert len(paid) == 3
    assert alice.holds(alice.main) == 10_00
    assert sorted(moved().values()) == [1, 1, 1]
    assert not Transfer.objects.filter(settled_at=None).exists()


def test_a_reading_taken_during_a_move_does_not_undo_it(alice, topup):
    run, _ = services.start_run(topup, "one", trigger_kind="api")

    at_once(lambda n: services.execute_run(run.pk) if n else alice.sync(), 2)

    alice.sync()
    assert alice.account(alice.main.external_id).balance.available == 700_00
    assert services.preview(topup).outcome == "nothing_to_do"


@pytest.fixture
def ending(alice, topup, run):
    """Return a run whose transfer was sent, and how to write that it is done."""
    carried = run(topup)
    sent = carried.transfers.get()
    Transfer.objects.update(status="sending", settled_at=None)
    RuleRun.objects.update(status="running", finished_at=None, lease_until=now())
    before = sent.first_sent_at - timedelta(seconds=1)
    Balance.objects.update(as_of=before, fetched_at=before)

    def write(mine=None):
        mine = mine or RuleRun.objects.get()
        row = Transfer.objects.get()
        after = transfer_state(row, Part.ONLY)
        after = replace(after, status="done", settled_at=now())
        return lambda: finish_run(mine, row, after, [row], {})

    return write


def amounts():
    rows = Balance.objects.order_by("account")
    return {row.account_id: (int(row.total), int(row.available)) for row in rows}


def test_five_who_end_one_transfer_enter_what_it_moved_once(alice, ending):
    before, sent = amounts(), Transfer.objects.get()
    write = [ending() for _ in range(FIVE)]

    assert sorted(at_once(lambda number: write[number]())) == [False] * 4 + [True]

    assert Transfer.objects.get().status == "done"
    assert RuleRun.objects.get().status == "succeeded"
    after = amounts()
    for account, moved in ((sent.source_id, -30000), (sent.target_id, 30000)):
        assert after.pop(account) == tuple(x + moved for x in before.pop(account))
    assert after == before


def test_a_transfer_ends_where_another_worker_has_its_run(ending):
    before, known = amounts(), RuleRun.objects.get()
    write = ending(known)
    RuleRun.objects.update(lease_until=now() + timedelta(minutes=1))

    assert write() is True

    assert Transfer.objects.get().status == "done"
    assert (RuleRun.objects.get().status, known.status) == ("running", "running")
    assert known.waiting is None
    assert amounts() != before


def test_a_run_succeeds_with_no_transfer_that_somebody_else_has_ended(ending):
    write, before = ending(), amounts()
    Transfer.objects.update(attempts=7)

    assert write() is False

    assert RuleRun.objects.get().status == "running"
    assert amounts() == before


def test_a_connection_that_is_cut_before_the_end_is_written_is_made_anew(
    alice, topup, moved
):
    started, _ = services.start_run(topup, "one", trigger_kind="api")
    left = [1]

    def cut_once(execute, sql, params, many, more):
        if "mine AS" in sql and left:
            left.pop()
            cut(connection)
        return execute(sql, params, many, more)

    with connection.execute_wrapper(cut_once):
        services.execute_run(started.pk)

    assert not left
    assert RuleRun.objects.get().status == "succeeded"
    assert list(moved().values()) == [1]
