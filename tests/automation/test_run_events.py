"""What becomes of a run is told: in the transaction that ends it, or while it lasts."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils.timezone import now

from accounts.events import KINDS
from accounts.models import Delivery, Event
from accounts.services import events
from automation.models import Rule, RuleRun
from tests.accounts.events.conftest import household

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def nobody_delivers_by_themselves(monkeypatch) -> None:
    monkeypatch.setattr("accounts.tasks.publish", lambda *_: None)


@pytest.fixture
def home(settings):
    settings.WEBHOOKS_TO_LOOPBACK = True
    home = household("rules")
    home.rule = Rule.objects.create(
        workspace=home.workspace, name="Payday", kind="sweep", asset="GBP/2"
    )
    home.channel, _ = events.add_channel(
        home.preference, "webhook", "hook", "http://127.0.0.1:9/"
    )
    return home


def run_of(home, status: str = "running", **more) -> RuleRun:
    return RuleRun.objects.create(
        rule=home.rule,
        key=f"key {RuleRun.objects.count()}",
        trigger_kind="manual",
        scheduled_for=home.workspace.created,
        status=status,
        **more,
    )


def become(run: RuleRun, status: str, **more) -> list[str]:
    """Let a run become so, and return the kinds of events that tell of it."""
    RuleRun.objects.filter(pk=run.pk).update(status=status, **more)
    events.look_for_conditions()
    told = Event.objects.filter(subject_id=run.pk).order_by("created")
    return list(told.values_list("kind", "phase"))


@pytest.mark.parametrize(
    ("status", "kind", "severity"),
    [
        ("succeeded", "run_succeeded", "info"),
        ("partial", "run_partial", "warning"),
        ("failed", "run_failed", "error"),
        ("cancelled", "run_cancelled", "info"),
        ("missed", "run_missed", "warning"),
        ("notified", "run_notified", "info"),
        ("nothing_to_do", "run_skipped", "info"),
        ("skipped_stale", "run_skipped", "info"),
        ("skipped_funds", "run_skipped", "info"),
    ],
)
def test_end_of_a_run_is_told_once(home, status, kind, severity):
    run = run_of(home, "planned")

    assert become(run, status, reason="so it is") == [(kind, "once")]
    assert become(run, status) == [(kind, "once")]
    event = Event.objects.get()
    assert event.severity == severity
    assert event.workspace_id == home.workspace.pk
    assert event.key == f"{kind}:{home.rule.pk}"
    assert "Payday" in event.text
    assert "so it is" in event.text
    assert event.data["rule"] == str(home.rule.pk)
    assert event.data["status"] == status


@pytest.mark.parametrize(
    ("status", "severity"),
    [
        ("awaiting_approval", "warning"),
        ("stranded", "critical"),
        ("quarantined", "critical"),
    ],
)
def test_what_waits_for_a_person_is_told_while_it_lasts(home, status, severity):
    run = run_of(home, "planned")
    began, ended = (f"run_{status}", "began"), (f"run_{status}", "ended")

    assert become(run, status) == [began]
    assert become(run, status) == [began]
    assert Event.objects.get().severity == severity
    assert become(run, "running") == [began, ended]


def test_run_that_is_over_before_it_began_is_told_as_well(home):
    run = run_of(home, "missed")

    assert [event.subject_id for event in Event.objects.all()] == [run.pk]


def test_each_announcement_of_a_plan_is_told_with_its_own_figures(home, settings):
    """The second as well where people have just been told the first."""
    settings.MAIL_URL = "mailto://127.0.0.1:9?from=us@example.com"
    events.add_channel(home.preference, "email", "mail", "me@example.com")
    run, first = run_of(home, "due"), now()
    told = {"notice_until": first, "reason": "Would move £10.00"}
    assert become(run, "notified", **told) == [("run_notified", "once")]
    later = {"notice_until": first + MINUTE, "reason": "£900.00 instead of £10.00"}

    assert become(run, "notified", **later) == [("run_notified", "once")] * 2
    become(run, "notified", lease_until=None, next_attempt_at=first)

    texts = Event.objects.order_by("created").values_list("text", flat=True)
    assert [text.split(" – ")[1] for text in texts] == [told["reason"], later["reason"]]
    events.route()
    assert {row.status for row in Delivery.objects.all()} == {"pending"}
    assert Delivery.objects.count() == 4


def test_each_plan_that_waits_for_approval_is_a_question_of_its_own(home):
    asked, begun = now(), ("run_awaiting_approval", "began")
    run = run_of(home, "due")
    first = {"planned_at": asked, "reason": "Would move £300.00"}
    assert become(run, "awaiting_approval", **first) == [begun]
    RuleRun.objects.update(approved_at=asked)  # nobody looks before it changes
    anew = {"planned_at": asked + MINUTE, "approved_at": None, "reason": "Now £200.00"}

    told = become(run, "awaiting_approval", **anew)

    assert sorted(told) == [begun, begun, ("run_awaiting_approval", "ended")]
    assert "Now £200.00" in Event.objects.filter(phase="began").latest("created").text


def test_end_that_is_rolled_back_is_not_told(home):
    run = run_of(home)
    with pytest.raises(RuntimeError), transaction.atomic():
        RuleRun.objects.filter(pk=run.pk).update(status="failed")
        assert Event.objects.count() == 1
        raise RuntimeError

    assert not Event.objects.exists()


@pytest.mark.parametrize("deaf", ["unwanted", "disabled", "elsewhere"])
def test_nothing_is_written_where_nobody_listens(home, deaf):
    run = run_of(home)
    if deaf == "unwanted":
        home.preference.kinds = ["run_succeeded"]
        home.preference.save()
    elif deaf == "disabled":
        type(home.channel).objects.update(enabled=False)
    else:
        other = household("elsewhere")
        Rule.objects.update(workspace=other.workspace)

    assert become(run, "failed") == []


def test_every_end_of_a_run_has_a_kind_that_can_be_chosen():

    told = {
        "run_skipped" if s == "nothing_to_do" or s.startswith("skipped") else f"run_{s}"
        for s in RuleRun.Status.values
    }
    silent = {"run_due", "run_planned", "run_running"}  # on their way, not yet news
    assert told - silent == {kind for kind in KINDS if kind.startswith("run_")}
