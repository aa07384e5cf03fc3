"""A database restored from an older backup: what the bank made since is not made again."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils.timezone import now

from accounts.models import Balance, Transaction
from automation import services
from automation.models import Rule, RuleRun, Transfer, Trigger
from automation.services import planning

from .conftest import Killed, die, gbp, leg

pytestmark = pytest.mark.django_db
HORIZON = 3600.0  # seconds for which the bank remembers an id here
HOURS = timedelta(hours=1)


@pytest.fixture
def backup(bank, sandbox):
    """Return what keeps the rows as they are, for what puts them back hours later."""
    bank.configure(dedupe_horizon=HORIZON)

    def keep():
        kept = transaction.savepoint()

        def restore() -> None:
            transaction.savepoint_rollback(kept)
            Balance.objects.update(fetched_at=now() - 2 * HOURS)
            sandbox.clock.advance(2 * HORIZON)

        return restore

    return keep


def daily(person) -> Rule:
    """Return a rule that moves ten each day, and was due some hours ago."""
    person.fill(person.main, 1000_00)
    due = now() - 3 * HOURS
    rule = person.rule(
        "topup",
        leg(person.main, "source"),
        leg(person.pots[0], "target", strategy="fixed", amount=gbp(10_00)),
        timezone="UTC",
        triggers=[{"kind": "daily", "hour": due.hour, "minute": due.minute}],
    )
    Trigger.objects.update(next_at=due.replace(second=0, microsecond=0))
    return rule


def dispatched() -> list[RuleRun]:
    """Carry out what is due by the clock, side by side as workers do."""
    ids = [run.pk for run in services.dispatch_due_rules()]
    if len(ids) == 1:
        services.execute_run(*ids)
    else:
        list(services.execute_runs(ids))
    return list(RuleRun.objects.filter(pk__in=ids).order_by("rule__created"))


@pytest.fixture
def rule(alice):
    return daily(alice)


def test_an_occurrence_that_the_bank_has_a_transfer_of_is_not_carried_out_again(
    alice, rule, backup
):
    restore = backup()
    (done,) = dispatched()
    assert done.status == "succeeded"

    restore()
    (again,) = dispatched()

    assert again.key == done.key
    assert again.status == "skipped_duplicate"
    assert "not known here" in again.reason
    assert not Transfer.objects.exists()
    assert alice.holds(alice.pots[0]) == 10_00


def test_beside_it_what_the_bank_knows_nothing_of_is_carried_out(
    bank, alice, rule, backup
):
    due = rule.triggers.get().next_at
    bob = type(alice)(bank, alice.workspace, "bob")
    daily(bob)
    Trigger.objects.exclude(rule=rule).update(next_at=now() + HOURS)
    restore = backup()
    (done,) = dispatched()
    assert done.status == "succeeded"

    restore()
    Trigger.objects.update(next_at=due)
    again, other = dispatched()

    assert (again.status, other.status) == ("skipped_duplicate", "succeeded")
    assert (alice.holds(alice.pots[0]), bob.holds(bob.pots[0])) == (10_00, 10_00)


def test_what_was_sent_since_the_backup_is_found_and_not_sent_again(
    alice, bank, two, run, backup, monkeypatch, let_time_pass
):
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(services.sending, "call", die)
        run(two)
    (started,) = RuleRun.objects.all()
    let_time_pass()
    restore = backup()
    assert services.execute_run(started.pk).status == "succeeded"

    restore()
    unsent = Transfer.objects.filter(first_sent_at=None).get()
    again = services.execute_run(started.pk)

    assert again.status == "succeeded"
    assert [len(bank.moved(str(row.pk))) for row in again.transfers.all()] == [1, 1]
    unsent.refresh_from_db()
    assert (unsent.status, unsent.verified) == ("done", True)


@pytest.mark.parametrize(
    ("declined", "status"),
    [("", "skipped_duplicate"), ("no money", "succeeded")],
    ids=["made", "declined"],
)
def test_only_what_a_bank_has_made_counts(alice, rule, declined, status):
    (run,) = services.dispatch_due_rules()
    Transaction.objects.create(
        account=alice.main,
        external_id="tx",
        amount=-10_00,
        asset="GBP/2",
        created=now(),
        dedupe_id=str(planning.names_of(run)[0]),
        declined=declined,
    )

    assert services.execute_run(run.pk).status == status


def test_what_became_due_meanwhile_is_done_with_in_a_dry_run(
    alice, bank, rule, backup, settings
):
    bank.configure(shows_dedupe=False, shows_metadata=False)
    restore = backup()
    dispatched()

    restore()
    settings.DRY_RUN = True
    (told,) = dispatched()
    settings.DRY_RUN = False

    assert (told.status, told.dry) == ("nothing_to_do", True)
    assert dispatched() == []
    assert services.execute_run(told.pk).status == "nothing_to_do"
    assert alice.holds(alice.pots[0]) == 10_00


def test_what_a_program_named_long_ago_and_names_again_is_not_carried_out_again(
    alice, rule, run, backup
):
    restore = backup()
    assert run(rule, "api:payment", kind="api").status == "succeeded"

    restore()

    assert run(rule, "api:payment", kind="api").status == "skipped_duplicate"
    assert alice.holds(alice.pots[0]) == 10_00
