"""The next transfer of a run begins as one ends, though others wait for each other."""

from __future__ import annotations

import threading
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection, connections, transaction
from django.utils.timezone import now

from accounts.models import Connection, Workspace
from automation import services
from automation.models import Transfer
from automation.services import funds, relay

from .conftest import gbp, leg
from .test_meanwhile import somebody_waits
from .test_relay import balance_of

pytestmark = pytest.mark.django_db(transaction=True)


def test_who_writes_balances_meanwhile_is_waited_for_and_believed(
    alice, two, run, handed_on, as_first_arrives, moved
):
    """The statement began before that was committed, and must see it all the same."""
    as_first_arrives(
        lambda: while_somebody_waits(
            lambda _: balance_of(alice.main).update(available=20_00, total=20_00)
        )
    )

    run(two)

    assert handed_on == [False]
    assert Transfer.objects.get(move=0).status == "done"


def test_an_outflow_that_ends_while_an_end_is_waited_for_is_not_forgotten(
    alice, bank, between_pots, run, handed_on, as_first_arrives, moved, orders
):
    """What a statement sees of other transfers is what was before it waited."""
    alice.fill(alice.main, 40_00)
    bank.fault("act_then_drop", **orders)
    other = run(topped_up(alice, alice.main)).transfers
    # Its end is not entered: the reading may show it, and here does not.
    long_ago = now() - timedelta(minutes=1)
    other.update(first_sent_at=long_ago)

    def end(moment):
        other.update(status="done", settled_at=moment, next_attempt_at=None)

    as_first_arrives(lambda: while_somebody_waits(end))

    assert run(between_pots).status == "succeeded"

    assert handed_on == [False]
    assert alice.holds(alice.main) == 25_00


def topped_up(alice, source):
    """Return a rule that moves £15 out of `source` into the third pot."""
    into = leg(alice.pots[2], "target", strategy="fixed", amount=gbp(15_00))
    return alice.rule("topup", leg(source, "source"), into)


@pytest.fixture
def from_pots(alice):
    """Return a rule that empties two pots."""
    for pot in alice.pots[:2]:
        alice.fill(pot, 20_00)
    pots = [
        leg(pot, "source", order=n, strategy="all")
        for n, pot in enumerate(alice.pots[:2])
    ]
    return alice.rule("sweep", *pots, leg(alice.main, "target"))


@pytest.fixture
def outflow(alice):
    """Return what writes an outflow of the second pot, of another run."""
    rule = topped_up(alice, alice.pots[1])
    other, _ = services.start_run(rule, "other", trigger_kind="manual")

    def write(**more) -> Transfer:
        ends = {"source": alice.pots[1], "target": alice.main}
        about = {"run": other, "move": 0, "amount": 15_00, "asset": "GBP/2"}
        return Transfer.objects.create(pk=uuid4(), **about | ends | more)

    return write


@pytest.mark.parametrize("status", ["done", "sending", "left to a person"])
def test_what_leaves_the_next_account_is_seen_as_it_is_after_the_wait(
    status, alice, from_pots, outflow, run, handed_on, as_first_arrives, moved
):
    """It was begun, and perhaps has ended, while the connection was waited for."""

    def write(moment):
        more = {
            "done": {"status": "done", "settled_at": now()},
            "sending": {"status": "sending"},
            "left to a person": {"status": "unknown", "needs_person": True},
        }
        outflow(sent_at=moment, first_sent_at=moment, **more[status])

    as_first_arrives(lambda: while_somebody_waits(write))

    run(from_pots)

    assert handed_on == [False]
    assert Transfer.objects.get(run__rule=from_pots, move=0).status == "done"


def test_who_is_just_beginning_to_take_money_out_goes_first(
    alice, from_pots, outflow, run, handed_on, as_first_arrives, moved
):
    """It is not committed when the next is judged, and is when that is written."""
    begun = threading.Event()

    def begin():
        try:
            with transaction.atomic():
                outflow(status="sending", sent_at=now(), first_sent_at=now())
                begun.set()
                while not somebody_waits():
                    pass
        finally:
            connections.close_all()

    def start():
        threading.Thread(target=begin).start()
        assert begun.wait(10)

    as_first_arrives(start)

    assert run(from_pots).status == "running"

    assert handed_on == []
    first, second = Transfer.objects.filter(run__rule=from_pots).order_by("move")
    assert (first.status, balance_of(alice.pots[0]).get().total) == ("done", 0)
    assert (second.status, second.error_code) == ("pending", "account_busy")
    assert second.held_before is None


def test_who_writes_the_next_balances_meanwhile_is_believed(
    alice, from_pots, run, handed_on, as_first_arrives, moved
):
    as_first_arrives(
        lambda: while_somebody_waits(
            lambda _: balance_of(alice.pots[1]).update(available=1_00, total=1_00)
        )
    )

    run(from_pots)

    assert handed_on == [False]
    assert list(moved().values()) == [1, 1]


def while_somebody_waits(write) -> None:
    """Hold the connection until somebody waits for it, and `write` as of this moment."""
    locked, moment = threading.Event(), now()

    def hold():
        try:
            with transaction.atomic():
                Connection.objects.select_for_update(no_key=True).get()
                locked.set()
                while not somebody_waits():
                    pass
                write(moment)
        finally:
            connections.close_all()

    threading.Thread(target=hold).start()
    assert locked.wait(10)


@pytest.mark.parametrize("rule", ["two", "between_pots"])
def test_an_end_waits_for_nobody_who_changes_a_switch(
    rule, request, run, handed_on, as_first_arrives, moved
):
    """Who imports many rules holds the workspace for long; the bank has answered."""
    rule = request.getfixturevalue(rule)
    ended, held = threading.Event(), threading.Event()

    def hold():
        try:
            with transaction.atomic():
                Workspace.objects.select_for_update().get()
                held.set()
                ended.wait(10)
        finally:
            connections.close_all()

    thread = threading.Thread(target=hold)

    def begin():
        thread.start()
        assert held.wait(10)

    as_first_arrives(begin)
    book = relay.Relay.__call__

    def then_let_go(baton, after, told):
        written = book(baton, after, told)
        ended.set()
        return written

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(relay.Relay, "__call__", then_let_go)
        assert run(rule).status == "succeeded"

    thread.join(10)
    assert handed_on == [False]
    assert list(moved().values()) == [1, 1]


STATES = [
    ("pending", False),
    ("sending", False),
    ("unknown", True),
    ("done", False),
    ("refused", False),
    ("reversed", False),
]


def test_the_database_says_what_leaves_an_account_as_a_claim_reads_it(alice, outflow):
    """In every state, settled before the reading and after it."""
    read_at = balance_of(alice.pots[1]).get().as_of
    for move, (status, person) in enumerate(STATES):
        settled = [None] if status in Transfer.OPEN else [-1, 1]
        for late in settled:
            moment = late and read_at + timedelta(seconds=late)
            outflow(
                status=status,
                needs_person=person,
                settled_at=moment,
                move=move + 10 * (late or 0) + 20,
            )

    ends = alice.pots[1].pk, alice.main.pk
    (known,) = funds.held(uuid4(), *ends).filter(pk=ends[0])
    with connection.cursor() as cursor:
        cursor.execute("SELECT automation_leaving(%s, %s)", [ends[0], read_at])
        assert cursor.fetchone() == (known.leaving,) == (45_00,)
