from __future__ import annotations

import sys
import time
from datetime import timedelta

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from accounts import services
from accounts.models import (
    Account,
    Balance,
    BalanceSnapshot,
    Connection,
    Correction,
    Discrepancy,
    SyncRun,
)
from accounts.signals import balance_changed
from providers.drivers import configure

pytestmark = pytest.mark.django_db
REPEATED = 3  # times a driver asks before it gives up a read


def totals() -> dict[str, int]:
    return dict(Balance.objects.values_list("account__external_id", "total"))


def token(connection: Connection) -> str:
    return connection.open_credentials()["access_token"]


def of(customer) -> dict[str, str]:
    return {"account_id": customer.account.external_id}


def test_first_sync_finds_every_account_with_its_pots_and_balances(person, bank):
    customer, connection = person

    [run] = services.sync([connection], "periodic")

    assert (run.status, run.error, run.requests > 0) == ("ok", "", True)
    assert totals() == {n: bank.balance(n) for n in totals()}
    assert set(totals()) == {h.external_id for h in customer.holdings}
    pots = Account.objects.filter(parent__external_id=customer.account.external_id)
    assert {p.external_id for p in pots} == {p.external_id for p in customer.pots}
    stored = SyncRun.objects.get(pk=run.pk)
    assert {r["account"]: r["total"] for r in stored.results} == {
        name: str(total) for name, total in totals().items()
    }


def test_deleted_pots_and_closed_accounts_are_not_found(people):
    [(customer, connection)] = people(1)

    services.sync([connection], "periodic")

    gone = {h.external_id for h in customer.holdings if h.closed}
    assert gone
    assert not gone & set(totals())


def test_snapshot_is_kept_only_when_a_balance_changes(person, bank):
    customer, connection = person
    services.sync([connection], "periodic")
    first = Balance.objects.get(account__external_id=customer.account.external_id)
    count = BalanceSnapshot.objects.count()

    services.sync([connection], "periodic")
    again = Balance.objects.get(pk=first.pk)
    assert BalanceSnapshot.objects.count() == count
    assert again.fetched_at > first.fetched_at

    bank.pay(customer.account.external_id, 12_34)
    services.sync([connection], "periodic")
    assert BalanceSnapshot.objects.count() == count + 1
    corrections = Correction.objects.filter(account_id=first.pk)
    assert {(c.field, c.difference) for c in corrections} == {
        ("total", "1234"),
        ("available", "1234"),
    }


def test_failing_slow_and_babbling_connections_stop_nobody_and_write_no_zero(
    people, bank
):
    everybody = people(30, pots=1)
    connections = [connection for _, connection in everybody]
    services.sync(connections, "periodic")
    before = totals()
    for customer, _ in everybody:
        bank.pay(customer.account.external_id, 1_00)
    broken = {
        connections[0]: ("5xx", {"times": None}),
        connections[1]: ("garbage", {"times": None}),
        connections[2]: ("delay", {"times": None, "seconds": 30}),
        connections[3]: ("act_then_drop", {"times": None}),
        connections[4]: ("nan", {"times": None}),
        connections[5]: ("duplicate_keys", {"times": None}),
        connections[6]: ("wrong_currency", {"times": None}),
        connections[7]: ("429", {"times": None, "seconds": 120}),
        connections[8]: ("truncated", {"times": None}),
    }
    spoil(bank, broken)

    began = time.monotonic()
    runs = services.sync(connections, "periodic", seconds=3)

    assert time.monotonic() - began < 10
    failed = {run.connection for run in runs if run.status == "failed"}
    assert failed == set(broken)
    assert all(run.error and run.error_code for run in runs if run.status == "failed")
    for customer, connection in everybody:
        name = customer.account.external_id
        extra = 0 if connection in failed else 1_00
        assert totals()[name] == before[name] + extra
    stale = Balance.objects.exclude(error="")
    assert {b.account.connection for b in stale.select_related("account")} == failed
    assert 0 not in totals().values()


def test_provider_that_is_known_to_be_slow_is_waited_for(people, bank, monkeypatch):
    ((_, connection),) = people(1, pots=1)
    monkeypatch.setattr(connection.adapter.__class__, "deadline", 4.0)
    monkeypatch.setattr(sys.modules[services.sync.__module__], "USUAL", 0.1)
    bank.fault("delay", times=None, seconds=0.5)

    (hurried,) = services.sync([connection], "periodic", seconds=0.05)
    (patient,) = services.sync([connection], "periodic", seconds=0.1)

    assert (hurried.status, patient.status) == ("failed", "ok")


def spoil(bank, broken) -> None:
    """Let every request of some connections go wrong, each in its own way."""
    speak = bank.answer

    def answer(asked):
        bearer = asked.headers.get("authorization", "").partition(" ")[2]
        fault = by_token.get(bearer)
        if fault is None:
            return speak(asked)
        with bank.lock:
            bank.fault(fault[0], **fault[1])
            try:
                return speak(asked)
            finally:
                bank.calm()

    by_token = {token(connection): fault for connection, fault in broken.items()}
    bank.answer = answer


def test_failure_is_tried_again_alone_and_later_each_time(person, bank):
    _, connection = person
    services.sync([connection], "periodic")
    bank.fault("5xx", times=None)
    waits = []
    for _ in range(3):
        services.sync([connection], "periodic")
        connection.refresh_from_db()
        waits.append((connection.next_sync_at - now()).total_seconds())

    assert (connection.health, connection.failures) == ("failing", 3)
    assert 10 < waits[0] < waits[1] < waits[2] < 90
    bank.calm()
    configure(None)  # close the circuit, which opened meanwhile
    services.sync([connection], "periodic")
    connection.refresh_from_db()
    assert (connection.health, connection.failures, connection.error) == ("ok", 0, "")
    assert not Balance.objects.exclude(error="").exists()


def test_account_never_read_has_no_balance_rather_than_zero(person, bank):
    bank.fault("5xx", times=None)

    [run] = services.sync([person[1]], "periodic")

    assert run.status == "failed"
    assert not Balance.objects.exists()


def test_account_without_permission_is_unknown_and_the_others_are_read(people, bank):
    [(customer, connection)] = people(1, pots=1, joint=True)
    services.sync([connection], "periodic")
    mains = [h.external_id for h in customer.holdings if h.parent is None]
    kept = totals()
    for name in mains:
        bank.pay(name, 5_00)
    bank.fault(
        "refuse",
        path="/balance",
        times=1,
        status=403,
        body={"code": "forbidden.insufficient_permissions"},
    )

    [run] = services.sync([connection], "periodic")

    assert run.status == "partial"
    read = [name for name in mains if totals()[name] == kept[name] + 5_00]
    [unread] = set(mains) - set(read)
    assert len(read) == 1
    assert totals()[unread] == kept[unread]
    assert Balance.objects.get(account__external_id=unread).error


def test_statements_do_not_grow_with_the_batch(people, bank, settings):
    everybody = people(40, pots=2)
    rows = Connection.objects.to_sync().order_by("pk")
    services.sync(rows, "periodic")

    counts = []
    for size in (5, 40):
        for customer, _ in everybody:
            bank.pay(customer.account.external_id, 1)
        with CaptureQueriesContext(
            database,
        ) as seen:
            services.sync(rows[:size], "periodic")
        counts.append(len([q for q in seen if "automation_" not in q["sql"]]))

    assert counts[0] == counts[1] <= 12  # two of them are this test's savepoint


@pytest.mark.django_db(transaction=True)
def test_quiet_batch_takes_eight_round_trips(people):
    people(40, pots=2)
    rows = Connection.objects.to_sync().order_by("pk")
    services.sync(rows, "periodic")

    with CaptureQueriesContext(database) as seen:
        services.sync(rows.all(), "periodic")

    # Connections, clock and what is known; then lock, versions, balances, outcomes.
    words = [q["sql"].split()[0] for q in seen]
    assert words == [
        "SELECT",
        "SELECT",
        "BEGIN",
        "SELECT",
        "SELECT",
        "UPDATE",
        "WITH",
        "COMMIT",
    ]


def test_joint_account_counts_and_automates_once(people, bank):
    (one, first), (_, second) = people(2, pots=1, joint=True)

    services.sync([first, second], "periodic")

    [joint] = bank_joint(one, second)
    rows = Account.objects.filter(external_id=joint)
    assert rows.count() == 2
    assert rows.counted().count() == 1
    assert Balance.objects.filter(account__in=rows).count() == 2


def bank_joint(customer, other: Connection) -> set[str]:
    theirs = set(other.accounts.values_list("external_id", flat=True))
    return {h.external_id for h in customer.holdings if h.parent is None} & theirs


def test_renamed_pot_stays_the_same_account(person, bank):
    customer, connection = person
    services.sync([connection], "periodic")
    pot = customer.pots[0].external_id
    before = Account.objects.get(external_id=pot)
    bank.amend(pot, name="Rainy days")

    services.sync([connection], "periodic")

    assert Account.objects.get(external_id=pot).name == "Rainy days"
    assert Account.objects.get(external_id=pot).pk == before.pk
    assert Correction.objects.get(field="name").new == "Rainy days"


def test_deleted_pot_is_closed_at_once_and_locked_pot_is_noted(person, bank):
    customer, connection = person
    services.sync([connection], "periodic")
    gone, locked = (p.external_id for p in customer.pots[:2])
    bank.move(gone, customer.account.external_id, bank.balance(gone))
    bank.amend(gone, deleted=True)
    bank.amend(locked, locked=True)

    services.sync([connection], "periodic")

    assert Account.objects.get(external_id=gone).closed_at is not None
    assert Account.objects.get(external_id=locked).can_send is False
    assert Correction.objects.filter(field="closed", severity="warning").count() == 1


def test_vanished_accounts_are_closed_by_the_second_answer_a_minute_later(person, bank):
    _, connection = person
    services.sync([connection], "periodic")
    kept = totals()
    empty = {"path": "/accounts", "status": 200, "body": {"accounts": []}}
    bank.fault("refuse", times=2, **empty)

    [run] = services.sync([connection], "periodic")
    assert run.status == "partial"
    assert not Account.objects.exclude(closed_at=None).exists()
    Account.objects.update(missing_since=now() - timedelta(seconds=61))
    services.sync([connection], "periodic")

    assert not Account.objects.open().exists()
    assert totals() == kept
    services.sync([connection], "periodic")
    assert not Account.objects.exclude(closed_at=None).exists()


def test_figures_that_disagree_are_read_again_and_then_a_discrepancy(person, bank):
    _, connection = person
    services.sync([connection], "periodic")
    wrong = {"path": "/balance", "value": {"total_balance": 1}}

    bank.fault("replace", times=1, **wrong)
    services.sync([connection], "periodic")
    assert not Discrepancy.objects.exists()

    for _ in range(2):
        bank.fault("replace", times=2, **wrong)
        services.sync([connection], "periodic")
    [found] = Discrepancy.objects.all()
    assert (found.severity, found.status, 1) == ("critical", "open", found.expected)

    services.sync([connection], "periodic")
    found.refresh_from_db()
    assert found.status == "resolved"


@pytest.mark.django_db(transaction=True)
def test_news_of_a_batch_is_told_once_after_it_is_committed(people, bank):
    everybody = people(3, pots=1)
    connections = [connection for _, connection in everybody]
    services.sync(connections, "periodic")
    for customer, _ in everybody:
        bank.pay(customer.account.external_id, 7)
    heard = []

    def listen(sender, changes, **_):
        assert not database.in_atomic_block
        heard.append(changes)

    balance_changed.connect(listen)
    try:
        services.sync(connections, "periodic")
        services.sync(connections, "periodic")
    finally:
        balance_changed.disconnect(listen)

    [changes] = heard
    assert [c.new - c.old for c in changes] == [7, 7, 7]
    assert {c.connection_id for c in changes} == {c.pk for c in connections}


def test_clock_that_was_put_back_keeps_no_later_reading_out(person, bank):
    customer, connection = person
    services.sync([connection], "periodic")
    soon = now() + timedelta(hours=1)  # as a clock said that was an hour ahead
    Balance.objects.update(as_of=soon, fetched_at=soon)
    bank.pay(customer.account.external_id, 7)

    services.sync([connection], "periodic")

    assert totals() == {name: bank.balance(name) for name in totals()}
    assert not Balance.objects.filter(as_of__gt=now()).exists()


def test_archived_connection_is_not_asked(person, bank):
    connection = person[1]
    connection.archive()

    assert services.sync([connection], "periodic") == []
    assert bank.requests == 0


def test_connection_whose_key_is_lost_fails_by_name_and_alone(people, settings):
    (_, lost), (_, good) = people(2, pots=1)
    Connection.objects.filter(pk=lost.pk).update(
        credentials=good.seal_credentials({"access_token": "x"})
    )
    rows = Connection.objects.filter(pk__in=[lost.pk, good.pk])

    runs = {run.connection_id: run for run in services.sync(rows, "periodic")}

    assert runs[lost.pk].error_code == "cannot_open"
    assert runs[good.pk].status == "ok"
    lost.refresh_from_db()
    assert lost.health == "reconnect_needed"


def test_connection_of_a_provider_that_is_gone_fails_by_name(person):
    Connection.objects.update(provider="closed-down")

    [run] = services.sync(Connection.objects.all(), "periodic")

    assert (run.status, run.error_code) == ("failed", "unknown_provider")


def test_balance_that_was_computed_gets_its_snapshot_by_the_next_reading(person, bank):
    customer, connection = person
    services.sync([connection], "periodic")
    main, pot = customer.account.external_id, customer.pots[0].external_id
    bank.move(main, pot, 5_00)
    for name in (main, pot):
        held = bank.balance(name)
        Balance.objects.filter(account__external_id=name).update(
            total=held, available=held, as_of=now(), source="cache"
        )
    count = BalanceSnapshot.objects.count()

    services.sync([connection], "periodic")

    assert BalanceSnapshot.objects.count() == count + 2
    assert set(Balance.objects.values_list("source", flat=True)) == {"live"}
    assert not Correction.objects.exists()
