"""Books against bank: what agrees is proved, what does not has a name and a place."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO
from uuid import UUID, uuid5

import pytest
from django.core.management import CommandError, call_command
from django.test import TestCase
from django_celery_beat.models import PeriodicTask

from accounts.models import Discrepancy
from automation import services, tasks
from automation.machine.proof import (
    Booked,
    Finding,
    Line,
    prove,
    strangers,
)
from automation.models import RuleRun, Transfer
from automation.services import proving
from tests.guards import unguarded

from .conftest import Person, gbp, leg

NOON = datetime(2026, 1, 25, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
BOOK = Booked(
    id="one",
    amount=-500,
    asset="GBP/2",
    pot="pot_1",
    moved=True,
    open=False,
    reference="",
    begun=NOON,
    ended=NOON + MINUTE,
)
LINE = Line("tx_1", -500, "GBP/2", "pot_1", NOON, "one")
NAMELESS = replace(LINE, dedupe_id="")


# -- the comparison


def names(books, lines):
    return [(f.name, f.expected, f.actual) for f in prove(books, lines).findings]


def test_a_transfer_and_its_entry_prove_each_other():
    assert prove([BOOK], [LINE]).proved == {"one": "tx_1"}
    assert names([BOOK], [LINE]) == []


@pytest.mark.parametrize(
    ("lines", "name", "actual"),
    [
        ([], "transfer_missing", 0),
        ([replace(LINE, dedupe_id="two")], "transfer_missing", 0),
        ([replace(LINE, amount=-499)], "transfer_amount", -499),
        ([replace(LINE, asset="USD/2")], "transfer_amount", -500),
        ([replace(LINE, amount=500)], "transfer_direction", 500),
        ([replace(LINE, pot="pot_2")], "transfer_pot", -500),
        ([LINE, replace(LINE, reference="tx_2")], "transfer_doubled", -1000),
    ],
)
def test_every_difference_has_its_name(lines, name, actual):
    proof = prove([BOOK], lines)

    assert proof.findings == [Finding(name, "one", -500, actual)]
    assert proof.proved == {}


@pytest.mark.parametrize("lines", [[], [LINE]])
def test_what_is_not_known_yet_is_no_difference(lines):
    unclear = replace(BOOK, moved=False, open=True)

    assert names([unclear], lines) == []
    assert prove([unclear], lines).proved == {}


def test_what_the_books_call_refused_must_not_be_in_the_bank():
    refused = replace(BOOK, moved=False)

    assert names([refused], [LINE]) == [("transfer_unexpected", 0, -500)]
    assert names([refused], []) == []


def test_an_entry_is_known_by_its_reference_where_it_has_no_id():
    book = replace(BOOK, reference="tx_1")
    line = replace(NAMELESS, created=NOON + timedelta(days=2))

    assert prove([book], [line]).proved == {"one": "tx_1"}


def test_without_ids_time_pot_and_amount_decide_each_entry_once():
    books = [replace(BOOK, id=str(n), begun=NOON + n * MINUTE) for n in range(3)]
    lines = [
        replace(NAMELESS, reference=f"tx_{n}", created=NOON + n * MINUTE)
        for n in range(3)
    ]

    assert prove(books, lines).proved == {"0": "tx_0", "1": "tx_1", "2": "tx_2"}
    assert [f.name for f in prove(books, lines[:2]).findings] == ["transfer_missing"]


def test_without_ids_the_only_entry_of_that_time_may_be_of_another_amount():
    assert names([BOOK], [replace(NAMELESS, amount=-7)]) == [
        ("transfer_amount", -500, -7)
    ]


def test_where_the_bank_names_our_ids_nothing_is_guessed():
    other = replace(BOOK, id="two", begun=NOON - MINUTE)
    lines = [replace(LINE, reference="tx_2", dedupe_id="two"), NAMELESS]

    assert names([BOOK, other], lines) == [("transfer_missing", -500, 0)]


def made(name: str) -> str:
    return str(uuid5(UUID(int=1), name))


def test_entries_under_ids_like_ours_are_lost_rows_or_somebody_elses():
    lines = [replace(LINE, dedupe_id=made(n)) for n in ("known", "lost", "alien")]
    lines += [replace(LINE, dedupe_id=n) for n in ("app-7", "", str(UUID(int=4)))]

    assert strangers(lines, {made("known")}, {made("lost")}) == [
        Finding("transfer_unknown", made("lost"), 0, -500),
        Finding("transfer_foreign", "", 0, 500),
    ]


# -- with a bank and a database


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """Let entries be judged that are not ten minutes old yet."""
    monkeypatch.setattr(proving, "LAG", timedelta(0))


def prove_now(alice):
    (report,) = services.prove_connection(alice.connection)
    return report


def open_names():
    rows = Discrepancy.objects.filter(status="open", name__startswith="transfer_")
    return sorted(rows.values_list("name", "subject", "expected", "actual"))


@pytest.fixture
def done(topup, run) -> Transfer:
    return run(topup).transfers.get()


@pytest.mark.django_db
@pytest.mark.parametrize("hidden", [None, "shows_dedupe", "shows_metadata"])
def test_what_moved_is_proved_and_named_by_its_entry(alice, bank, done, hidden):
    if hidden:
        bank.configure(**{hidden: False})

    report = prove_now(alice)

    done.refresh_from_db()
    assert done.proved_at is not None
    assert done.reference == bank.moved(str(done.pk))[0].id
    assert (report.transfers, report.error, open_names()) == (1, "", [])


@pytest.mark.django_db
def test_both_steps_between_two_pots_are_proved(alice, bank, run):
    alice.fill(alice.pots[0], 80_00)
    rule = alice.rule(
        "sweep",
        leg(alice.pots[0], "source", strategy="all"),
        leg(alice.pots[1], "target"),
    )
    run(rule)

    prove_now(alice)

    assert Transfer.objects.exclude(proved_at=None).count() == 2


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("change", "name", "expected", "actual"),
    [
        ({"amount": 299_00}, "transfer_amount", -299_00, -300_00),
        ({"status": "refused"}, "transfer_unexpected", 0, -300_00),
    ],
)
def test_books_that_say_something_else_are_found_and_not_corrected(
    alice, done, change, name, expected, actual
):
    with unguarded():
        Transfer.objects.update(**change)

    prove_now(alice)

    assert open_names() == [(name, str(done.pk), expected, actual)]
    done.refresh_from_db()
    assert done.proved_at is None
    assert {key: getattr(done, key) for key in change} == change


@pytest.mark.django_db
def test_a_transfer_that_the_bank_does_not_know_is_missing(alice, bank, done):
    ghost = Transfer.objects.get()
    ghost.pk, ghost.move = UUID(made("ghost")), 7
    ghost.save(force_insert=True)

    prove_now(alice)

    assert open_names() == [("transfer_missing", str(ghost.pk), -300_00, 0)]


@pytest.mark.django_db
def test_a_movement_that_the_bank_made_twice_is_found(alice, bank, done, orders):
    bank.configure(honours_dedupe=False)
    adapter = alice.connection.adapter
    ends = [services.routes.place(a) for a in (alice.main, alice.pots[0])]
    services.asking.call(
        alice.connection,
        lambda _: adapter.transfer(*ends, 300_00, dedupe_id=str(done.pk)),
    )

    prove_now(alice)

    assert open_names() == [("transfer_doubled", str(done.pk), -300_00, -600_00)]


@pytest.mark.django_db
def test_a_row_that_was_lost_is_unknown_and_another_installation_is_foreign(
    alice, bank, done
):
    ends = [services.routes.place(a) for a in (alice.main, alice.pots[0])]
    for name in (made("elsewhere"), made("again")):
        services.asking.call(
            alice.connection, lambda a, n=name: a.transfer(*ends, 5_00, dedupe_id=n)
        )
    lost = str(done.pk)
    with unguarded():
        Transfer.objects.all().delete()

    prove_now(alice)

    assert open_names() == [
        ("transfer_foreign", "", 0, 10_00),
        ("transfer_unknown", lost, 0, -300_00),
    ]
    grades = Discrepancy.objects.filter(status="open").values_list("name", "severity")
    assert dict(grades) == {"transfer_foreign": "warning", "transfer_unknown": "error"}


def go_elsewhere(person):
    """Let another installation move 5.00 into the first pot."""
    ends = [services.routes.place(a) for a in (person.main, person.pots[0])]
    name = made("elsewhere")
    services.asking.call(
        person.connection, lambda a: a.transfer(*ends, 5_00, dedupe_id=name)
    )


def lose_the_rows(_):
    with unguarded():
        Transfer.objects.all().delete()


@pytest.mark.django_db
@pytest.mark.parametrize("happen", [go_elsewhere, lose_the_rows])
def test_nothing_is_begun_where_somebody_else_may_move_the_money(
    alice, bank, workspace, done, run, happen
):
    happen(alice)
    prove_now(alice)
    alice.fill(alice.pots[0], 0)

    waiting = run(done.run.rule, "two", kind="daily")

    assert (waiting.status, waiting.attempts) == ("due", 0)
    assert "Accept or ignore that first" in waiting.reason
    assert alice.holds(alice.pots[0]) == 0
    Discrepancy.objects.filter(status="open").decide("accepted", None)
    RuleRun.objects.update(next_attempt_at=None)
    assert services.execute_run(waiting.pk).status == "succeeded"


@pytest.mark.django_db
def test_money_elsewhere_moves_on_while_somebody_moves_here(bank, alice, done, run):
    go_elsewhere(alice)
    prove_now(alice)
    bob = Person(bank, alice.workspace, "bob")
    bob.fill(bob.main, 100_00)
    give = leg(bob.pots[0], "target", strategy="fixed", amount=gbp(10_00))
    rule = bob.rule("topup", leg(bob.main, "source"), give)
    mine = services.start_run(done.run.rule, "two", trigger_kind="daily")[0]
    his = services.start_run(rule, "two", trigger_kind="daily")[0]

    tasks.execute_runs([str(mine.pk), str(his.pk)])

    assert status_of(mine, his) == ["due", "succeeded"]


def status_of(*runs) -> list[str]:
    for run in runs:
        run.refresh_from_db()
    return [run.status for run in runs]


@pytest.mark.django_db
def test_a_difference_is_told_once_and_resolved_when_it_is_gone(alice, done):
    with unguarded():
        Transfer.objects.update(amount=1)
    prove_now(alice)
    prove_now(alice)
    assert len(open_names()) == 1

    with unguarded():
        Transfer.objects.update(amount=300_00)
    prove_now(alice)

    row = Discrepancy.objects.get(name="transfer_amount")
    assert row.status == "resolved"
    done.refresh_from_db()
    assert done.proved_at is not None


@pytest.mark.django_db
@pytest.mark.parametrize("decision", ["accepted", "ignored"])
def test_what_a_person_decided_is_not_told_again_but_something_else_is(
    alice, done, decision
):
    with unguarded():
        Transfer.objects.update(amount=299_00)
    prove_now(alice)
    Discrepancy.objects.update(status=decision)

    prove_now(alice)
    assert open_names() == []

    with unguarded():
        Transfer.objects.update(amount=298_00)
    prove_now(alice)
    assert len(open_names()) == 1


@pytest.mark.django_db
def test_a_bank_that_cannot_be_read_proves_nothing_and_accuses_nobody(
    alice, bank, done
):
    bank.fault("refuse", code="consent_needed", times=None)

    report = prove_now(alice)

    done.refresh_from_db()
    assert (report.error != "", done.proved_at, open_names()) == (True, None, [])


@pytest.mark.django_db
def test_no_further_back_is_judged_than_the_bank_shows(alice, sandbox, done):
    ghost = Transfer.objects.get()
    ghost.pk, ghost.move = UUID(made("ghost")), 7
    ghost.first_sent_at = ghost.settled_at = done.settled_at - timedelta(days=89)
    ghost.save(force_insert=True)

    report = prove_now(alice)

    assert (report.transfers, open_names()) == (1, [])


@pytest.mark.django_db
def test_what_happened_just_now_may_not_be_shown_yet(alice, done, monkeypatch):
    monkeypatch.setattr(proving, "LAG", timedelta(minutes=10))
    with unguarded():
        Transfer.objects.update(amount=1)

    assert prove_now(alice).transfers == 0
    assert open_names() == []


@pytest.mark.django_db
def test_the_nightly_tasks_prove_every_connection(alice, done):
    with TestCase.captureOnCommitCallbacks(execute=True):
        tasks.prove_transfers()

    done.refresh_from_db()
    assert done.proved_at is not None
    row = PeriodicTask.objects.get(task="automation.tasks.prove_transfers")
    assert (row.enabled, row.crontab.hour) == (True, "3")


@pytest.mark.django_db
def test_the_command_prints_a_table_and_fails_where_something_differs(alice, done):
    out = StringIO()
    call_command("prove_transfers", stdout=out)
    assert "transfers" in out.getvalue()

    with unguarded():
        Transfer.objects.update(amount=299_00)
    with pytest.raises(CommandError, match="1 of 1 accounts"):
        call_command("prove_transfers", "--days", "30", stdout=out)
    assert f"transfer_amount {done.pk}" in out.getvalue()
    assert "recorded -299.00, the bank says -300.00 GBP" in out.getvalue()


@pytest.mark.django_db
def test_rules_that_never_moved_anything_are_watched_too(alice, bank, workspace):
    alice.fill(alice.main, 100_00)
    alice.rule(
        "topup",
        leg(alice.main, "source"),
        leg(alice.pots[0], "target", strategy="fixed", amount=gbp(1_00)),
    )

    assert services.to_prove() == [alice.connection.pk]
    assert prove_now(alice).transfers == 0
