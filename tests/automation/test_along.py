"""A plan is written in the transaction that writes what it rests on, if all goes well."""

from __future__ import annotations

from contextlib import closing

import pytest
from django.db import IntegrityError, OperationalError, connection, connections
from django.utils.timezone import now

from accounts.models import DriftSetting, SyncRun
from automation.models import Transfer
from automation.services import planning

from .conftest import gbp, leg

pytestmark = pytest.mark.django_db(transaction=True)
PROTECTED = "SELECT FROM accounts_account WHERE id = %s AND protected_at IS NOT NULL"
COUNTS = """
SELECT (SELECT count(*) FROM accounts_syncrun WHERE kind = 'pre_automation'),
       (SELECT count(*) FROM automation_transfer)
"""


@pytest.fixture
def committed(monkeypatch):
    """Note what others see after a commit: how many readings for rules, and transfers.

    It begins with none of either, and goes on with what is more than before.
    """
    found: list[tuple[int, ...]] = [(0, 0)]
    other, mine = connection.copy(), type(connections["default"])
    commit = mine._commit

    def noted(wrapper):
        commit(wrapper)
        with other.cursor() as cursor:
            cursor.execute(COUNTS)
            seen = cursor.fetchone()
        found.extend([seen] if seen != found[-1] else [])

    monkeypatch.setattr(mine, "_commit", noted)
    with closing(other):
        yield found


@pytest.fixture
def failing(monkeypatch):
    """Let plans fail for the first so many times once they are decided."""
    write = planning.write_drafts

    def fail(*failures: Exception) -> None:
        left = list(failures)

        def written(drafts):
            done = write(drafts)
            if left:
                raise left.pop(0)
            return done

        monkeypatch.setattr(planning, "write_drafts", written)

    return fail


@pytest.fixture
def drafted(monkeypatch, alice):
    """Note at each plan whether others see that alice's account is protected by then."""
    found: list[bool] = []
    other, draft_all = connection.copy(), planning.draft_all

    def noted(runs, **more):
        with other.cursor() as cursor:
            cursor.execute(PROTECTED, [alice.main.pk])
            found.append(cursor.fetchone() is not None)
        return draft_all(runs, **more)

    monkeypatch.setattr(planning, "draft_all", noted)
    with closing(other):
        yield found


def test_a_reading_and_the_plan_that_rests_on_it_are_committed_together(
    topup, run, committed
):
    assert run(topup).status == "succeeded"

    assert committed == [(0, 0), (1, 1)]


def test_a_plan_that_cannot_be_written_along_is_written_by_itself(
    topup, run, failing, committed, moved
):
    failing(OperationalError("deadlock detected"))

    assert run(topup).status == "succeeded"

    assert committed == [(0, 0), (1, 0), (1, 1)]
    assert list(moved().values()) == [1]


def test_what_is_wrong_with_a_plan_is_told_and_the_reading_kept(topup, run, failing):
    failing(IntegrityError("odd"), IntegrityError("odd"))

    with pytest.raises(IntegrityError, match="odd"):
        run(topup)

    assert SyncRun.objects.get(kind="pre_automation").status == "ok"
    assert not Transfer.objects.exists()


def test_a_run_that_fails_there_goes_on_later(
    topup, run, failing, let_time_pass, moved
):
    failing(KeyError("odd"), KeyError("odd"))
    with pytest.raises(KeyError):
        run(topup)
    let_time_pass()

    assert run(topup).status == "succeeded"
    assert list(moved().values()) == [1]


def test_a_run_that_found_too_little_is_not_waked_by_its_own_reading(alice, run):
    """Else it would look again at once, for as long as each look finds another balance."""
    rule = alice.rule(
        "topup",
        leg(alice.main, "source"),
        leg(alice.pots[0], "target", strategy="fixed", amount=gbp(50_00)),
        on_short="retry_next",
    )
    alice.fill(alice.main, 10_00)  # of which its own reading brings the news

    short = run(rule, kind="daily")

    assert (short.status, short.outcome) == ("due", "skipped_funds")
    short.refresh_from_db()
    assert short.next_attempt_at > now()
    assert SyncRun.objects.filter(kind="pre_automation").count() == 1


def test_a_sync_that_protects_an_account_is_committed_before_its_plan_is_made(
    alice, run, drafted
):
    alice.fill(alice.main, 70_00)
    alice.sync()
    DriftSetting.objects.create(workspace=alice.workspace, clean_syncs=2)
    rule = alice.rule(
        "sweep",
        leg(alice.main, "source", strategy="all"),
        leg(alice.pots[0], "target"),
    )
    drifting = {"path": "/balance", "value": {"total_balance": 1}}
    alice.bank.fault("replace", times=6, **drifting)
    alice.sync()

    assert run(rule).status == "skipped_protected"
    assert drafted == [True]
