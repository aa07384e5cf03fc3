from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from accounts import services
from accounts.models import Account, Connection, Transaction, idempotency
from accounts.services import reading
from accounts.services.reading import Before, Clock, Visit
from providers.base import (
    History,
    ListsMovements,
    Movement,
    Observation,
    Provider,
    Reading,
)
from providers.drivers.effects import Failure
from providers.errors import Unavailable
from providers.money import Asset
from providers.wire import Request, Response, drive

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 1, 25, 12, tzinfo=UTC)
GBP = Asset("GBP", 2)


def asked_for_history(bank) -> list:
    seen, speak = [], bank.answer

    def answer(asked):
        if asked.path.endswith("/transactions"):
            seen.append(asked)
        return speak(asked)

    bank.answer = answer
    return seen


def test_transactions_are_stored_once_and_told_again_when_they_settle(person, bank):
    customer, connection = person
    main = customer.account.external_id
    spent = bank.spend(main, 12_34, description="Coffee", pending=True)
    services.sync([connection], "manual")
    services.sync([connection], "manual")

    found = Transaction.objects.get(description="Coffee")
    assert (found.amount, found.asset, found.settled) == (-12_34, "GBP/2", None)

    bank.settle(spent.id)
    services.sync([connection], "manual")
    found.refresh_from_db()
    assert found.settled is not None
    assert Transaction.objects.filter(description="Coffee").count() == 1


def test_routine_sync_asks_for_history_only_where_money_moved(people, bank):
    everybody = people(4, pots=1)
    connections = [connection for _, connection in everybody]
    services.sync(connections, "periodic")
    seen = asked_for_history(bank)

    services.sync(connections, "periodic")
    assert seen == []

    spender, saver = everybody[1][0], everybody[2][0]
    bank.spend(spender.account.external_id, 5)
    bank.move(saver.account.external_id, saver.pots[0].external_id, 5)
    services.sync(connections, "periodic")
    asked = {asked.query["account_id"] for asked in seen}
    assert asked == {spender.account.external_id, saver.account.external_id}


def test_history_is_read_again_after_a_while_and_whenever_a_person_asks(person, bank):
    _, connection = person
    services.sync([connection], "periodic")
    seen = asked_for_history(bank)

    services.sync([connection], "manual")
    asked = len(seen)
    assert asked
    services.sync([connection], "periodic")
    assert len(seen) == asked
    Account.objects.filter(parent=None).update(
        movements_read_at=now() - timedelta(minutes=16)
    )
    services.sync([connection], "periodic")
    assert len(seen) > asked


def test_balances_are_kept_when_history_cannot_be_read(person, bank):
    customer, connection = person
    services.sync([connection], "periodic")
    main = customer.account.external_id
    bank.pay(main, 3)
    bank.fault("5xx", path="/transactions", times=None)

    [run] = services.sync([connection], "periodic")

    assert (run.status, run.error_code) == ("partial", "unavailable")
    account = Account.objects.select_related("balance").get(external_id=main)
    assert account.balance.total == bank.balance(main)
    connection.refresh_from_db()
    assert connection.health == "ok"


def test_old_transactions_are_neither_stored_nor_kept(person, bank, settings):
    customer, connection = person
    settings.TRANSACTION_DAYS = 30
    main = customer.account.external_id
    for days in (10, 40):
        when = bank.clock.now() - timedelta(days=days)
        bank.pay(main, 1, description=f"{days} days ago", when=when)
    services.sync([connection], "manual")
    texts = Transaction.objects.values_list("description", flat=True)
    assert "10 days ago" in texts
    assert "40 days ago" not in texts

    settings.TRANSACTION_DAYS = 5
    assert services.forget_old_transactions() >= 1
    assert "10 days ago" not in texts.all()


def test_old_transactions_go_a_few_at_a_time(account, monkeypatch):
    monkeypatch.setattr(idempotency, "BATCH", 2)
    old = now() - timedelta(days=1000)
    told = {"account": account, "amount": 1, "asset": "GBP/2", "created": old}
    rows = [Transaction(external_id=f"tx_{n}", **told) for n in range(5)]
    Transaction.objects.bulk_create(rows)

    with CaptureQueriesContext(database) as seen:
        assert services.forget_old_transactions() == 5

    assert not Transaction.objects.exists()
    begins = 'DELETE FROM "accounts_transaction"'
    assert sum(q["sql"].startswith(begins) for q in seen) == 3  # each has a few seconds


class Talker(Provider, ListsMovements):
    """A provider made of what a test wants it to say."""

    name, hosts, fields = "Talker", {"api": "http://127.0.0.1:1"}, ()

    def __init__(self, *stretches, observation=None) -> None:
        super().__init__({})
        self.stretches = list(stretches)
        self.observation = observation or Observation([Reading("main", GBP, 5, 5)], ())

    def observe(self, known=()):
        yield [Request("GET", "/a"), Request("GET", "/b")]
        if isinstance(self.observation, Exception):
            raise self.observation
        return self.observation

    def movements(self, account, cursor, *, now, since):
        yield Request("GET", "/movements")
        told = self.stretches.pop(0)
        if isinstance(told, Exception):
            raise told
        return told


def movement(name: str, asset: Asset = GBP) -> Movement:
    return Movement(name, 1, asset, NOON)


def visit(provider: Provider, kind: str = "periodic", **before) -> Visit:
    found = Visit(
        Connection(),
        provider,
        kind,
        Clock(NOON, 0.0),
        NOON - timedelta(days=90),
        before,
    )
    drive(found.call(), lambda _: Response(200, {}, b"{}"))
    return found


def test_a_worker_that_was_held_up_takes_no_old_answer_for_the_truth_of_this_moment(
    monkeypatch,
):
    """It was asked at 100 s, answered at once, and heard when the worker went on."""
    clock = iter([100.0])
    monkeypatch.setattr(reading, "monotonic", lambda: next(clock, 500.0))

    found = visit(Talker(History((), "")))

    assert found.asked_at == NOON + timedelta(seconds=100)
    assert found.fetched_at == found.asked_at + timedelta(seconds=Talker.deadline)


def test_history_that_says_there_is_more_is_read_on_to_its_end():
    found = visit(
        Talker(
            History([movement("1")], "a", truncated=True, more=True),
            History([movement("2")], "b"),
        )
    )

    history = found.histories["main"]
    assert [m.external_id for m in history.movements] == ["1", "2"]
    assert (history.cursor, history.truncated) == ("b", True)
    assert found.requests == 4


def test_history_in_another_currency_is_refused_and_the_balance_kept():
    found = visit(Talker(History([movement("1", Asset("USD", 2))], "a")))

    assert found.histories == {}
    assert found.unread["main"].code == "unexpected_response"
    assert found.observation.readings


def test_fault_of_an_adapter_is_a_named_failure():
    with pytest.raises(Exception, match="KeyError") as caught:
        visit(Talker(observation=KeyError("balance")))

    assert caught.value.code == "unexpected_response"
    assert not isinstance(caught.value, Failure)


def test_history_that_fails_leaves_what_was_heard_before():
    found = visit(Talker(Unavailable()))

    assert found.observation.readings
    assert isinstance(found.unread["main"], Unavailable)


def test_quiet_account_is_not_asked_again_for_a_while():
    recently = Before(5, 5, "a", datetime.now(UTC) + timedelta(days=9999))

    assert visit(Talker(), main=recently).requests == 2
