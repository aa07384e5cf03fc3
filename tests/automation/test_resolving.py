"""A person's word: what it ends, what it frees, and that nothing is sent because of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth import get_user_model
from django.db import DatabaseError, transaction
from django.db.models import F
from django.utils.timezone import now

from accounts.models import AuditEvent, Balance, Condition, Discrepancy
from accounts.services.events import look_for_conditions
from automation import services
from automation.machine import Command, Part, TransferState, step
from automation.machine import events as e
from automation.models import Resolution, RuleRun, Transfer
from automation.services import proving

from .conftest import leg, sweep

DAY = timedelta(days=1)
NOW = datetime(2026, 1, 25, 9, tzinfo=UTC)
WAITING = TransferState(
    amount=500,
    asset="GBP/2",
    horizon=timedelta(hours=1),
    status=e.Status.UNKNOWN,
    may_have_moved=True,
    needs_person=True,
    first_sent_at=NOW - timedelta(hours=1),
)
HAPPENED = e.Resolved(happened=True, reference="tx_1")
NOT = e.Resolved(happened=False, note="I looked")


# -- in the machine


def test_what_happened_is_done_and_booked():
    state, commands = step(WAITING, HAPPENED, NOW)

    assert (state.status, state.needs_person, state.verified) == ("done", False, False)
    assert (state.reference, state.settled_at) == ("tx_1", NOW)
    assert commands == (Command.BOOK,)


def test_what_did_not_happen_is_refused_and_commands_nothing():
    state, commands = step(WAITING, NOT, NOW)

    assert (state.status, state.error_code) == ("refused", "not_happened")
    assert (state.needs_person, state.settled_at, commands) == (False, NOW, ())


@pytest.mark.parametrize("part", [Part.SECOND, Part.BACK])
def test_money_between_two_pots_stays_in_sight(part):
    state, commands = step(replace(WAITING, part=part), NOT, NOW)
    assert (state.status, state.needs_person, commands) == ("stranded", True, ())

    seen, commands = step(state, NOT, NOW)
    assert (seen.status, seen.needs_person, commands) == ("stranded", False, ())
    moved, commands = step(state, HAPPENED, NOW)
    assert (moved.status, commands) == ("done", (Command.BOOK,))


@pytest.mark.parametrize("status", [s for s in e.Status if s not in ("unknown",)])
@pytest.mark.parametrize("told", [HAPPENED, NOT])
def test_a_word_about_anything_that_does_not_wait_changes_nothing(status, told):
    state = replace(WAITING, status=status, needs_person=False)

    assert step(state, told, NOW) == (state, ())


# -- in the database, with a bank


@pytest.fixture
def person(workspace):
    return get_user_model().objects.create_user("olga")


@pytest.fixture
def waiting(bank, alice, topup, run, orders) -> Transfer:
    """A transfer that arrived, whose answer was lost, and that a person must look at."""
    bank.fault("act_then_drop", **orders)
    run(topup)
    Transfer.objects.update(needs_person=True)
    return Transfer.objects.get()


@pytest.mark.django_db
def test_it_happened_ends_the_run_well_and_is_written_down(waiting, person, bank):
    entry = bank.moved(str(waiting.pk))[0]

    done = services.resolve(waiting, user=person, happened=True, reference=entry.id)

    waiting.refresh_from_db()
    assert (waiting.status, waiting.reference) == ("done", entry.id)
    assert done.status == "succeeded"
    told = Resolution.objects.get()
    assert (told.user, told.happened, told.reference) == (person, True, entry.id)
    assert (told.status_before, told.status_after) == ("unknown", "done")


@pytest.mark.django_db
def test_it_did_not_happen_frees_the_amount_and_nothing_is_sent(
    bank, alice, topup, run, orders, person, moved, let_time_pass
):
    bank.fault("drop_before", **orders)
    started = run(topup)
    Transfer.objects.update(needs_person=True)
    alice.sync()
    assert available(topup, alice.main) == 700_00

    services.resolve(Transfer.objects.get(), user=person, happened=False, note="No")
    let_time_pass()
    sweep()

    assert available(topup, alice.main) == 1000_00
    assert list(moved().values()) == [0]
    row = Transfer.objects.get()
    assert (row.status, row.needs_person, row.error) == ("refused", False, "No")
    started.refresh_from_db()
    assert started.status == "failed"
    assert Resolution.objects.get().status_after == "refused"


def available(rule, account) -> int:
    """Return what a plan may spend of `account`."""
    held = {r.account: r.available for r in services.preview(rule).readings}
    return held[str(account.pk)]


@pytest.mark.django_db
def test_a_word_is_heard_once(waiting, person):
    services.resolve(waiting, user=person, happened=False)

    with pytest.raises(services.NotWaiting):
        services.resolve(waiting, user=person, happened=False)
    assert Resolution.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize("status", ["done", "sending", "pending", "refused"])
def test_what_does_not_wait_cannot_be_resolved(waiting, person, status):
    over = now() if status in ("done", "refused") else None
    Transfer.objects.update(status=status, settled_at=over, needs_person=False)

    with pytest.raises(services.NotWaiting):
        services.resolve(waiting, user=person, happened=False)
    assert not Resolution.objects.exists()


@pytest.mark.django_db
def test_a_reference_that_proves_nothing_is_refused(waiting, person, bank, alice, run):
    salary = bank.pay(alice.main.external_id, 300_00)
    other = bank.move(alice.main.external_id, alice.pots[1].external_id, 300_00)
    alice.sync()
    wrong = ["", alice.pots[0].external_id, salary.id, other.id]

    for reference in wrong:
        with pytest.raises(services.ReferenceWrong):
            services.resolve(waiting, user=person, happened=True, reference=reference)
    waiting.refresh_from_db()
    assert waiting.status == "unknown"


@pytest.mark.django_db
def test_the_entry_of_another_transfer_is_refused(waiting, person, alice, run, topup):
    alice.fill(alice.pots[0], 0)
    run(topup, "other").transfers.update(reference="tx_other")

    with pytest.raises(services.ReferenceWrong, match="Another transfer"):
        services.resolve(waiting, user=person, happened=True, reference="tx_other")


@pytest.mark.django_db
def test_a_word_is_never_changed_or_forgotten(waiting, person):
    services.resolve(waiting, user=person, happened=False)

    for act in (
        lambda: Resolution.objects.update(happened=True),
        lambda: Resolution.objects.all().delete(),
    ):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            act()


# -- where the bank moved another amount


@pytest.fixture
def less(alice, monkeypatch):
    """Let the bank move a pound less than it is told, and say so."""
    adapter = type(alice.connection.adapter)
    transfer = adapter.transfer

    def one_less(self, source, target, amount, *, dedupe_id):
        return transfer(self, source, target, amount - 1_00, dedupe_id=dedupe_id)

    monkeypatch.setattr(adapter, "transfer", one_less)
    return monkeypatch


def contradicted(bank, alice, let_time_pass) -> tuple[Transfer, str]:
    """Return the first transfer once a person must look at it, and the bank's entry."""
    for _ in range(2):  # a balance that disagrees is looked up in the bank's ledger
        let_time_pass()
        sweep()
    alice.sync()
    row = Transfer.objects.get(step=0)
    assert (row.needs_person, row.error_code) == (True, "contradiction")
    (entry,) = bank.moved(str(row.pk))
    return row, entry.id


@pytest.mark.django_db
def test_what_the_bank_moved_instead_is_booked_where_a_person_accepts_it(
    bank, alice, topup, run, less, person, let_time_pass, monkeypatch
):
    run(topup)
    row, entry = contradicted(bank, alice, let_time_pass)
    Balance.objects.update(as_of=F("as_of") - DAY, fetched_at=F("fetched_at") - DAY)
    Balance.objects.filter(account=alice.pots[0]).update(total=0, available=0)
    Balance.objects.filter(account=alice.main).update(total=1000_00, available=1000_00)

    done = services.resolve(row, user=person, happened=True, reference=entry)

    row.refresh_from_db()
    assert (row.status, row.amount, done.status) == ("done", 300_00, "succeeded")
    assert Balance.objects.get(account=alice.main).total == 701_00
    assert Balance.objects.get(account=alice.pots[0]).total == 299_00
    assert Resolution.objects.get().reference == entry
    told = AuditEvent.objects.get(action="transfer.resolved")
    assert (told.old["amount"], told.new["amount"]) == ("30000", "29900")
    monkeypatch.setattr(proving, "LAG", timedelta(0))
    services.prove_connection(alice.connection)
    known = Discrepancy.objects.get()
    assert (known.subject, known.status) == (str(row.pk), "accepted")
    assert (known.expected, known.actual) == (-300_00, -299_00)
    assert known.decided_by == person


@pytest.mark.django_db
def test_a_bank_that_names_another_amount_is_believed_by_its_own_entry_alone(
    bank, alice, topup, run, less, person, let_time_pass
):
    run(topup)
    row, _ = contradicted(bank, alice, let_time_pass)
    by_hand = bank.move(alice.main.external_id, alice.pots[0].external_id, 298_00)
    for reference in (by_hand.id, "tx_unheard_of"):
        with pytest.raises(services.ReferenceWrong):
            services.resolve(row, user=person, happened=True, reference=reference)
        alice.sync()

    row.refresh_from_db()
    assert (row.status, row.needs_person) == ("unknown", True)


@pytest.mark.django_db
def test_nothing_is_sent_on_of_what_did_not_come_whole(
    bank, alice, run, less, person, moved, let_time_pass
):
    """The next step would take the rest out of the account between the two pots."""
    alice.fill(alice.main, 50_00)
    alice.fill(alice.pots[0], 80_00)
    source = leg(alice.pots[0], "source", strategy="all")
    run(alice.rule("sweep", source, leg(alice.pots[1], "target")))
    row, entry = contradicted(bank, alice, let_time_pass)
    less.undo()

    services.resolve(row, user=person, happened=True, reference=entry)
    let_time_pass()
    sweep()

    ends = Transfer.objects.order_by("step").values_list("status", "error_code")
    assert list(ends) == [("done", ""), ("expired", "cancelled")]
    assert sorted(moved().values()) == [0, 1]
    assert alice.holds(alice.main) == 50_00 + 79_00
    ended = RuleRun.objects.get()
    assert (ended.status, ended.reason[:22]) == ("failed", "0 of 1 moves were made")


@pytest.fixture
def stranded(bank, alice, run, orders) -> Transfer:
    """Money on its way between two pots that can go neither on nor back."""
    alice.fill(alice.pots[0], 80_00)
    rule = alice.rule(
        "sweep",
        leg(alice.pots[0], "source", strategy="all"),
        leg(alice.pots[1], "target"),
    )
    bank.fault("refuse", code="account_unusable", skip=1, times=50, **orders)
    run(rule)
    bank.calm()
    return Transfer.objects.get(step=2)


@pytest.mark.django_db
def test_stranded_money_that_a_person_moved_back_is_done(stranded, person, bank, alice):
    assert stranded.needs_person
    entry = bank.move(alice.main.external_id, alice.pots[0].external_id, 80_00)

    services.resolve(stranded, user=person, happened=True, reference=entry.id)

    states = Transfer.objects.order_by("step").values_list("status", "needs_person")
    assert list(states) == [("reversed", False), ("refused", False), ("done", False)]
    assert RuleRun.objects.get().status == "failed"
    assert alice.holds(alice.pots[0]) == 80_00


@pytest.mark.django_db
def test_stranded_money_that_stays_leaves_the_queue(stranded, person, moved):
    before = moved()

    services.resolve(stranded, user=person, happened=False, note="It may stay there")

    stranded.refresh_from_db()
    assert (stranded.status, stranded.needs_person) == ("stranded", False)
    assert moved() == before


@pytest.mark.django_db
def test_a_run_whose_stranded_money_stays_waits_for_nobody(stranded, person):
    look_for_conditions()
    assert Condition.objects.get(kind="run_stranded").holds

    run = services.resolve(stranded, user=person, happened=False)

    run.refresh_from_db()
    assert run.status == "failed"
    assert (
        run.reason == "0 of 1 moves were made; what lies between two pots stays there"
    )
    look_for_conditions()
    assert not Condition.objects.get(kind="run_stranded").holds


@pytest.mark.django_db
def test_a_run_that_no_longer_waits_for_a_word_may_be_let_go(stranded, person):
    """It was left so before its end followed from that word."""
    services.resolve(stranded, user=person, happened=False)
    Transfer.objects.update(expires_at=now())
    RuleRun.objects.update(status="stranded", reason="A person must decide")

    assert services.resume_run(stranded.run_id, user=person).status == "failed"
