"""What a person stops is stopped once the answer is there, whoever is about to send.

Who sends holds what the checks rest on until the moment of sending is committed, so who
stops it waits; and who comes to send while somebody stops it waits, and then does not.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connections, transaction

from accounts import services as accounts
from automation import services
from automation.models import Rule, RuleRun, Transfer
from automation.services import facts, planning, switches

from .test_meanwhile import somebody_waits

pytestmark = pytest.mark.django_db(transaction=True)


class Other:
    """What another connection does; it must wait for this one."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self.work, self.done, self.failure = work, False, None
        self.thread = threading.Thread(target=self.go)
        self.thread.start()
        while self.thread.is_alive() and not somebody_waits():
            pass
        self.waited = self.thread.is_alive()

    def go(self) -> None:
        try:
            self.work()
            self.done = True
        except switches.Stopped as stop:
            self.failure = stop
        finally:
            connections.close_all()

    def end(self) -> None:
        self.thread.join(30)
        assert self.waited


@pytest.fixture
def pending(alice, topup) -> Transfer:
    """A transfer that was planned and not begun."""
    run, _ = services.start_run(topup, "one", trigger_kind="api")
    return Transfer.objects.create(
        id=run.pk,
        run=run,
        move=0,
        source=alice.main,
        target=alice.pots[0],
        amount=1,
        asset="GBP/2",
    )


@pytest.mark.parametrize("end", ["source", "target"])
def test_protection_waits_for_a_send_that_is_being_committed(pending, anna, end):
    account = getattr(pending, end)
    with transaction.atomic():
        switches.guard(pending)
        protecting = Other(lambda: accounts.protect(account, user=anna))
        assert not protecting.done
    protecting.end()

    assert protecting.done
    account.refresh_from_db()
    assert account.protected_at is not None


@pytest.mark.parametrize("end", ["source", "target"])
def test_who_comes_to_send_while_an_account_is_protected_does_not(pending, anna, end):
    with transaction.atomic():
        accounts.protect(getattr(pending, end), user=anna)
        sending = Other(transaction.atomic(lambda: switches.guard(pending)))
    sending.end()

    assert sending.failure is not None
    assert sending.failure.event.code == "protected"


STOPS = {
    "protect": lambda rule, user: accounts.protect(
        rule.legs.first().account, user=user
    ),
    "pause": lambda rule, user: services.pause(rule.workspace, user=user),
    "archive": lambda rule, user: services.archive_rule(rule, user=user),
    "freeze": lambda rule, user: transaction.atomic(switches.freeze)(rule.pk),
    "rewrite": lambda rule, user: services.write_rule(
        rule.workspace, services.rule_data(rule) | {"enabled": False}, rule=rule
    ),
}


@pytest.mark.parametrize("stop", STOPS)
def test_what_stops_a_plan_waits_for_one_that_is_being_committed(topup, anna, stop):
    with transaction.atomic():
        planning.lock([topup])
        facts.read_again([topup])
        stopping = Other(lambda: STOPS[stop](topup, anna))
        assert not stopping.done
    stopping.end()

    assert stopping.done


@pytest.mark.parametrize("stop", STOPS)
def test_nothing_is_planned_or_begun_by_who_waited_for_a_stop(topup, anna, moved, stop):
    """The worker has read the bank and comes to write its plan while somebody stops it."""
    run, _ = services.start_run(topup, "one", trigger_kind="api")
    with transaction.atomic():
        STOPS[stop](topup, anna)
        worker = Other(lambda: services.execute_run(run.pk))
    worker.end()

    assert set(moved().values()) <= {0}
    assert not Transfer.objects.exclude(status="pending").exists()


def test_who_plans_while_a_run_is_resumed_knows_what_that_brings(
    alice, bank, topup, run, orders, anna
):
    bank.fault("refuse", **orders)
    refused = run(topup)
    second, _ = services.start_run(topup, "two", trigger_kind="api")
    with transaction.atomic():
        services.resume_run(refused.pk, user=anna)
        worker = Other(lambda: services.execute_run(second.pk))
    worker.end()

    second.refresh_from_db()
    assert (second.status, second.transfers.count()) == ("nothing_to_do", 0)
    services.execute_run(refused.pk)
    assert alice.holds(alice.pots[0]) == 300_00


def test_archiving_twice_is_archiving_once(topup, anna):
    services.archive_rule(topup, user=anna)
    first = Rule.objects.get()
    services.archive_rule(topup, user=anna)

    assert Rule.objects.get().archived_at == first.archived_at
    assert (first.enabled, first.next_due_at) == (False, None)
    assert not RuleRun.objects.exists()
