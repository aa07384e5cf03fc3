"""A bank in this process, somebody with money at it, and rules about that money."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import TestCase

from accounts import services as accounts
from accounts.models import Account, Connection, Workspace
from accounts.services import recording
from automation import services, tasks
from automation.models import Rule, RuleRun, Transfer
from automation.services import relay
from automation.services.routes import place
from providers.sandbox.institution import Customer, Institution
from tests import fixtures_bank
from tests.fixtures_bank import BANK, at_every_bank

__all__ = ["BANK", "at_every_bank"]

sandbox, bank = fixtures_bank.sandbox, fixtures_bank.bank
workspace = fixtures_bank.workspace


class Person:
    """A customer of the bank, connected: accounts by what they are called here."""

    def __init__(self, bank: Institution, workspace: Workspace, name: str) -> None:
        self.bank, self.workspace = bank, workspace
        (customer,) = bank.add_customers([name], pots=3)
        self.customer: Customer = customer
        for held in customer.holdings:  # everybody starts with a little: not here
            if bank.balance(held.external_id) > 0:
                bank.spend(held.external_id, bank.balance(held.external_id))
        self.connection: Connection = accounts.connect(
            workspace, bank.slug, customer.credentials, label=name
        )
        self.sync()
        self.main = self.account(customer.account.external_id)
        self.pots = [self.account(pot.external_id) for pot in customer.pots]

    def sync(self) -> None:
        self.connection.refresh_from_db()
        accounts.sync([self.connection], "manual")

    def account(self, external_id: str) -> Account:
        return Account.objects.get(connection=self.connection, external_id=external_id)

    def holds(self, account: Account) -> int:
        """Return what the bank's own ledger says."""
        return self.bank.balance(account.external_id)

    def fill(self, account: Account, amount: int) -> None:
        """Let the ledger say that `account` holds `amount`."""
        missing = amount - self.holds(account)
        if missing > 0:
            self.bank.pay(account.external_id, missing)
        elif missing < 0:
            self.bank.spend(account.external_id, -missing)

    def rule(self, kind: str, *legs: dict[str, Any], **more: Any) -> Rule:
        data = {"name": kind, "kind": kind, "legs": list(legs), **more}
        return services.write_rule(self.workspace, data)


def gbp(minor: int) -> dict[str, str]:
    return {"asset": "GBP/2", "minor": str(minor)}


def leg(account: Account, role: str, **more: Any) -> dict[str, Any]:
    return {"account": str(account.pk), "role": role, **more}


def at_least(account: Account, field: str, amount: dict[str, str]) -> dict[str, Any]:
    """Return the condition that `field` of `account` is `amount` or more."""
    told = {"account": str(account.pk), "field": field, "op": ">=", "value": amount}
    return {"all": [told]}


class Killed(BaseException):
    """What happens to a worker."""


def die(*args, **more):
    raise Killed


@contextmanager
def going_once_money_left(bank: Institution, *pots: Account) -> Iterator[None]:
    """Let the bank delete these pots as soon as it is written down that money left."""
    book = services.sending.Drive.book

    def then_they_go(self):
        book(self)
        for pot in pots:
            bank.do("amend", id=pot.external_id, deleted=True)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(services.sending.Drive, "book", then_they_go)
        yield


@pytest.fixture
def alice(bank, workspace) -> Person:
    return Person(bank, workspace, "alice")


@pytest.fixture
def topup(alice) -> Rule:
    """Alice's rule: bring the first pot up to 300.00."""
    alice.fill(alice.main, 1000_00)
    return alice.rule(
        "topup",
        leg(alice.main, "source"),
        leg(alice.pots[0], "target", strategy="to_target", target=gbp(300_00)),
    )


@pytest.fixture
def anna(db) -> User:
    """Somebody who decides about runs."""
    return User.objects.create_user("anna")


@pytest.fixture
def run() -> Callable[..., RuleRun]:
    """Start a run of a rule and carry it out once."""

    def run(rule: Rule, key: str = "one", kind: str = "manual", **more) -> RuleRun:
        started, _ = services.start_run(rule, key, trigger_kind=kind, **more)
        return services.execute_run(started.pk)

    return run


def sweep() -> None:
    """Let the sweeper look once, and the workers do what it queues."""
    with TestCase.captureOnCommitCallbacks(execute=True):
        tasks.sweep_unsettled()


@pytest.fixture
def let_time_pass() -> Callable[[], None]:
    """Make everything that waits due now, as if its time had come."""

    def pass_() -> None:
        ago = timedelta(seconds=1)
        for row in Transfer.objects.exclude(next_attempt_at=None):
            row.next_attempt_at = row.created - ago
            row.save(update_fields=["next_attempt_at"])
        for row in RuleRun.objects.unfinished():
            row.next_attempt_at = row.created - ago
            row.lease_until = row.queued_at = None
            row.save(update_fields=["next_attempt_at", "lease_until", "queued_at"])

    return pass_


@pytest.fixture
def orders(alice) -> dict[str, str]:
    """Where the bank's faults strike transfers and nothing else."""
    adapter = alice.connection.adapter
    ends = (place(alice.main), place(alice.pots[0]))
    request = next(adapter.transfer(*ends, 1, dedupe_id="any"))
    return {"method": request.method}


@pytest.fixture
def moved(bank) -> Callable[[], dict[str, int]]:
    """Return how often the bank's ledger holds each transfer that we know."""

    def count() -> dict[str, int]:
        return {str(t.pk): len(bank.moved(str(t.pk))) for t in Transfer.objects.all()}

    return count


# -- transfers that follow each other


@pytest.fixture
def two(alice):
    """Return a rule that makes two transfers out of one account."""
    alice.fill(alice.main, 100_00)
    alice.fill(alice.pots[1], 7_00)
    return alice.rule(
        "autosort",
        leg(alice.main, "source"),
        leg(alice.pots[0], "priority", strategy="fixed", amount=gbp(10_00)),
        leg(alice.pots[1], "priority", order=1, strategy="fixed", amount=gbp(15_00)),
    )


@pytest.fixture
def handed_on(monkeypatch):
    """Return, for each transfer that might begin as another ended, whether it did."""
    found: list[bool] = []
    write = relay.Relay.__call__

    def noted(baton, after, told):
        written = write(baton, after, told)
        if written is not None:
            found.append(baton.following.begun)
        return written

    monkeypatch.setattr(relay.Relay, "__call__", noted)
    return found


@pytest.fixture
def while_read(monkeypatch):
    """Let something happen between the bank's answer and the plan that rests on it.

    Where that is written `apart` from the answer, it happens in between.
    """

    def let(happen: Callable[[], Any], *, apart: bool = False) -> None:
        read, write = services.planning.sync, recording._record

        def sync(*asked, also):
            done = read(*asked)
            happen()
            return done

        def first(*told):
            happen()
            return write(*told)

        if apart:
            monkeypatch.setattr(services.planning, "sync", sync)
        else:
            monkeypatch.setattr(recording, "_record", first)

    return let


@pytest.fixture
def as_first_arrives(monkeypatch):
    """Let something happen once the bank has made the first transfer."""
    send = services.sending.ACTIONS["send"]

    def once(what) -> None:
        def then(drive):
            event = send(drive)
            if drive.row.move == drive.row.step == 0:
                what()
            return event

        monkeypatch.setitem(services.sending.ACTIONS, "send", then)

    return once


@pytest.fixture
def between_pots(alice):
    """Return a rule whose one move takes two steps: out of a pot, and into another."""
    alice.fill(alice.main, 5_00)
    alice.fill(alice.pots[0], 80_00)
    alice.fill(alice.pots[1], 7_00)
    return alice.rule(
        "sweep",
        leg(alice.pots[0], "source", strategy="all"),
        leg(alice.pots[1], "target"),
    )
