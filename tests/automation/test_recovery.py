"""After a lost answer the bank is asked; only what cannot be anything else is believed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.utils.timezone import now

from automation import services
from automation.machine import events as e
from automation.machine.recovery import Entry, Wanted, recognise
from automation.models import RuleRun, Transfer

from .conftest import gbp, leg, sweep

NOON = datetime(2026, 1, 25, 12, tzinfo=UTC)
WANTED = Wanted("mine", 500, "GBP/2", since=NOON, named=False)
ALIKE = Entry("tx_1", 500, "GBP/2", NOON + timedelta(seconds=1))
OWN = replace(ALIKE, dedupe_id="mine")
OTHER = replace(ALIKE, reference="tx_9", dedupe_id="other")


# -- what entries prove


def test_an_entry_under_its_id_is_the_transfer_whatever_else_there_is():
    told = recognise([OTHER, ALIKE, OWN], WANTED)

    assert (told.evidence.reference, told.sure) == ("tx_1", True)


def test_an_entry_of_another_amount_under_its_id_is_told_as_it_is():
    told = recognise([replace(OWN, amount=-7)], WANTED)

    assert told.evidence.amount == -7


def test_two_entries_under_its_id_are_for_a_person():
    told = recognise([OWN, replace(OWN, reference="tx_2")], WANTED)

    assert isinstance(told, e.Ambiguous)
    assert told.code == "moved_twice"


def test_the_one_entry_that_fits_is_believed_where_the_bank_names_no_ids():
    told = recognise([ALIKE, replace(ALIKE, reference="tx_2", amount=501)], WANTED)

    assert (told.evidence.reference, told.sure) == ("tx_1", False)


@pytest.mark.parametrize(
    "entry",
    [
        replace(ALIKE, amount=-500),
        replace(ALIKE, amount=499),
        replace(ALIKE, asset="USD/2"),
        replace(ALIKE, declined=True),
        replace(OWN, declined=True),
        replace(ALIKE, created=NOON - timedelta(seconds=1)),
    ],
)
def test_what_does_not_fit_is_not_found(entry):
    assert recognise([entry], WANTED) == e.NotFound()


def test_an_entry_that_is_another_transfer_is_not_found():
    assert recognise([ALIKE], replace(WANTED, claimed={"tx_1"})) == e.NotFound()


@pytest.mark.parametrize("wanted", [replace(WANTED, named=True), WANTED])
def test_where_the_bank_names_ids_an_entry_without_one_is_somebody_elses(wanted):
    others = [] if wanted.named else [OTHER]

    assert recognise([ALIKE, *others], wanted) == e.NotFound()


@pytest.mark.parametrize(
    ("entries", "rivals"), [(2, 0), (1, 1), (2, 1), (3, 2)], ids=str
)
def test_what_may_also_be_something_else_is_for_a_person(entries, rivals):
    told = recognise(
        [replace(ALIKE, reference=f"tx_{n}") for n in range(entries)],
        replace(WANTED, rivals=rivals),
    )

    assert isinstance(told, e.Ambiguous)


def test_without_an_entry_rivals_do_not_matter():
    assert recognise([], replace(WANTED, rivals=3)) == e.NotFound()


# -- with a bank that leaves things out


@pytest.mark.django_db
@pytest.mark.parametrize("hidden", ["shows_dedupe", "shows_metadata"])
@pytest.mark.parametrize("fault", ["act_then_drop", "act_then_500", "garbage"])
def test_a_bank_that_names_no_ids_is_believed_by_amount_and_time(
    fault, hidden, bank, alice, topup, run, orders, moved, let_time_pass
):
    bank.configure(**{hidden: False})
    bank.fault(fault, **orders)
    started = run(topup)
    let_time_pass()
    sweep()

    started.refresh_from_db()
    row = Transfer.objects.get()
    assert (started.status, row.status, row.verified) == ("succeeded", "done", False)
    assert row.reference == bank.moved(str(row.pk))[0].id
    assert list(moved().values()) == [1]


@pytest.mark.django_db
@pytest.mark.parametrize("hidden", ["shows_dedupe", "shows_metadata"])
def test_what_never_arrived_is_sent_again_under_the_same_id(
    hidden, bank, alice, topup, run, orders, moved, let_time_pass
):
    bank.configure(**{hidden: False})
    bank.fault("drop_before", **orders)
    started = run(topup)
    let_time_pass()
    sweep()

    started.refresh_from_db()
    assert started.status == "succeeded"
    assert list(moved().values()) == [1]


@pytest.mark.django_db
def test_two_entries_alike_call_a_person_and_nothing_more_is_sent(
    bank, alice, topup, run, orders, moved, let_time_pass
):
    bank.configure(shows_dedupe=False)
    bank.fault("act_then_drop", **orders)
    started = run(topup)
    bank.move(alice.main.external_id, alice.pots[0].external_id, 300_00)
    for _ in range(3):
        let_time_pass()
        sweep()

    row = Transfer.objects.get()
    assert (row.status, row.needs_person, row.error_code) == (
        "unknown",
        True,
        "ambiguous",
    )
    assert list(moved().values()) == [1]
    started.refresh_from_db()
    assert started.status == "failed"


@pytest.mark.django_db
def test_the_owners_own_move_is_not_taken_for_ours_where_the_bank_names_ids(
    bank, alice, topup, run, orders, moved, let_time_pass
):
    run(topup, "before")  # from which the bank is known to name ids
    alice.sync()
    alice.fill(alice.main, 1000_00)
    alice.fill(alice.pots[0], 0)
    bank.fault("drop_before", **orders)
    started = run(topup, "lost")
    bank.move(alice.main.external_id, alice.pots[0].external_id, 300_00)
    let_time_pass()
    sweep()

    lost = started.transfers.get()
    assert moved()[str(lost.pk)] == 1  # it was sent again: the other was not it


@pytest.mark.django_db
def test_an_entry_is_believed_for_one_transfer_only(
    bank, alice, topup, run, orders, moved, let_time_pass
):
    """The first is found by amount and time; the second must not be found by it too."""
    bank.configure(shows_dedupe=False)
    bank.fault("act_then_drop", **orders)
    run(topup, "first")
    let_time_pass()
    sweep()
    alice.fill(alice.main, 1000_00)
    alice.fill(alice.pots[0], 0)
    bank.fault("drop_before", **orders)
    second = run(topup, "second")
    let_time_pass()
    sweep()

    second.refresh_from_db()
    assert second.status == "succeeded"
    assert set(moved().values()) == {1}


@pytest.mark.django_db
def test_an_entry_that_an_answered_transfer_must_have_made_is_not_believed(
    bank, alice, topup, run, orders, moved, let_time_pass
):
    """An answer names no entry, so nobody can say which of two alike is whose."""
    bank.configure(shows_dedupe=False)
    run(topup, "answered")
    alice.fill(alice.main, 1000_00)
    alice.fill(alice.pots[0], 0)
    bank.fault("drop_before", **orders)
    lost = run(topup, "lost").transfers.get()
    let_time_pass()
    sweep()

    lost.refresh_from_db()
    assert (lost.needs_person, lost.error_code) == (True, "ambiguous")
    assert sorted(moved().values()) == [0, 1]


# -- what waits for a person, from beginning to end


@pytest.mark.django_db
def test_after_half_the_horizon_a_person_is_called_and_the_account_is_free(
    bank, alice, topup, run, orders, moved, let_time_pass
):
    bank.fault("drop_before", **orders)
    run(topup, "lost")
    target = leg(alice.pots[1], "target", strategy="fixed", amount=gbp(10_00))
    blocked = run(alice.rule("topup", leg(alice.main, "source"), target), "behind")
    assert blocked.status == "running"
    half = 0.6 * services.rows.horizon(alice.connection.provider)
    Transfer.objects.filter(run__key="lost").update(first_sent_at=now() - half)
    for _ in range(2):
        let_time_pass()
        sweep()

    lost = Transfer.objects.get(run__key="lost")
    assert (lost.status, lost.needs_person) == ("unknown", True)
    assert RuleRun.objects.get(pk=blocked.pk).status == "succeeded"
    assert moved()[str(lost.pk)] == 0
