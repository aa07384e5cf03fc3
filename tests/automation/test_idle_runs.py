"""Runs that moved nothing are forgotten one day, but for those whose key may come again."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils.timezone import now

from automation import services, tasks
from automation.models import RuleRun
from automation.services import idle_runs

pytestmark = pytest.mark.django_db
DAYS = 30


@pytest.fixture(autouse=True)
def few_days(settings):
    settings.RULE_RUN_DAYS = DAYS


@pytest.fixture
def kept(topup):
    """Return a maker of runs that ended so many days ago."""

    def make(days, status="nothing_to_do", trigger_kind="interval", **more):
        moment = now() - timedelta(days=days)
        about = {"scheduled_for": moment, "finished_at": moment, **more}
        made = RuleRun.objects.create(
            rule=topup,
            key=f"{trigger_kind}:{moment:%s.%f}",
            status=status,
            trigger_kind=trigger_kind,
            **about,
        )
        RuleRun.objects.filter(pk=made.pk).update(created=moment)
        return made.pk

    return make


def left():
    return set(RuleRun.objects.values_list("pk", flat=True))


def test_what_moved_nothing_goes_when_it_is_old(kept):
    for days, status in (
        (31, "nothing_to_do"),
        (90, "skipped_condition"),
        (400, "missed"),
    ):
        kept(days, status)
    young = {kept(29), kept(1, "skipped_stale")}

    assert services.forget_idle_runs() is False

    assert left() == young


def test_newest_run_of_a_rule_stays_however_old(kept):
    kept(500)
    newest = kept(400)

    services.forget_idle_runs()

    assert left() == {newest}


@pytest.mark.parametrize("status", sorted(set(RuleRun.Status) - set(RuleRun.IDLE)))
def test_what_moved_or_may_go_on_stays(kept, status):
    known = {kept(400, status), kept(1)}

    services.forget_idle_runs()

    assert left() == known


@pytest.mark.parametrize(
    "kind",
    ["manual", "api", "payday", "transaction", "balance", "webhook", "after_rule"],
)
def test_what_no_clock_began_stays_because_its_key_may_come_again(kept, kind):
    known = {kept(400, trigger_kind=kind), kept(1)}

    services.forget_idle_runs()

    assert left() == known


def test_run_with_transfers_stays_whatever_its_status(topup, run, kept):
    moved = run(topup)
    old = now() - timedelta(days=400)
    RuleRun.objects.filter(pk=moved.pk).update(
        status="skipped_limit",
        trigger_kind="daily",
        created=old,
        finished_at=old,
        scheduled_for=old,
    )
    newest = kept(1)

    services.forget_idle_runs()

    assert left() == {moved.pk, newest}


def test_many_go_some_at_a_time_until_all_are_gone(kept, monkeypatch):
    for name, few in (("BATCH", 2), ("BATCHES", 2)):
        monkeypatch.setattr(idle_runs, name, few)
    for days in range(100, 106):
        kept(days)
    newest, queued = kept(1), []
    monkeypatch.setattr(tasks, "publish", lambda task, *args: queued.append(task))

    tasks.forget_idle_runs()
    assert (len(left()), queued) == (3, [tasks.forget_idle_runs])
    tasks.forget_idle_runs()

    assert left() == {newest}
    assert queued == [tasks.forget_idle_runs]


def test_nightly_proof_of_transfers_has_them_forgotten(monkeypatch):
    queued = []
    monkeypatch.setattr(tasks, "publish", lambda task, *args: queued.append(task))

    tasks.prove_transfers()

    assert queued == [tasks.forget_idle_runs]
