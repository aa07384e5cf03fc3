"""The same work asked for many times at once, from threads and from processes."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connections, transaction
from django.utils.timezone import now

from accounts.models import Balance
from automation import services
from automation.machine import Part
from automation.models import RuleRun, Transfer
from automation.services.rows import save_transfer, transfer_state

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


def test_five_who_settle_one_transfer_enter_what_it_moved_once(alice, topup, run):
    done = run(topup).transfers.get()
    Transfer.objects.update(status="sending", settled_at=None)
    held = Balance.objects.get(account=done.source)
    earlier = done.first_sent_at - timedelta(seconds=1)
    Balance.objects.filter(pk=held.pk).update(as_of=earlier)
    known = [Transfer.objects.get() for _ in range(FIVE)]

    def settle(number):
        row = known[number]
        after = transfer_state(row, Part.ONLY)
        after = replace(after, status="done", settled_at=now())
        with transaction.atomic():
            return save_transfer(row, after, told={})

    assert sorted(at_once(settle)) == [False] * 4 + [True]
    assert Transfer.objects.get().status == "done"
    entered = Balance.objects.get(account=done.source)
    assert entered.total == held.total - done.amount
    assert entered.available == held.available - done.amount
