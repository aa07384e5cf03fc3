"""What people decide on the pages: about a run, a workspace, an account."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.timezone import now

from automation.models import RuleRun
from tests import fixtures_api
from tests.guards import unguarded

from .pages import page, text, verb

queued = fixtures_api.queued
HASH = "a" * 64


@pytest.fixture
def waiting(home) -> RuleRun:
    """A run that shows its plan and waits for a person."""
    RuleRun.objects.filter(pk=home.run.pk).update(
        status="awaiting_approval",
        planned_at=now(),
        plan_hash=HASH,
        outcome="planned",
        reason="1 move, £50.12 in all",
    )
    with unguarded():
        home.transfer.delete()
    home.run.refresh_from_db()
    return home.run


def switch(home) -> str:
    return reverse("pause", args=[home.workspace.pk])


def test_the_page_of_a_run_shows_what_would_move_and_asks(operator, waiting, home):
    shown = operator.get(page(waiting))

    assert "This plan waits for your approval: 1 move, £50.12 in all" in text(shown)
    assert "Moves" in text(shown)
    assert "£50.12" in text(shown)
    assert f'name="plan_hash" value="{HASH}"' in shown.content.decode()


def test_an_approval_is_of_the_plan_that_the_page_showed(operator, waiting, queued):
    RuleRun.objects.update(plan_hash="b" * 64)
    stale = operator.post(verb(waiting, "approve"), {"plan_hash": HASH}, follow=True)
    assert "The plan is another one now" in text(stale)
    waiting.refresh_from_db()
    assert waiting.approved_at is None

    told = operator.post(verb(waiting, "approve"), {"plan_hash": "b" * 64}, follow=True)
    waiting.refresh_from_db()
    assert waiting.approved_by == operator.user
    assert queued == [str(waiting.pk)]
    assert "Approved" in text(told)
    assert verb(waiting, "approve") not in told.content.decode()


def test_a_run_is_cancelled_on_its_page(operator, waiting, queued):
    told = operator.post(verb(waiting, "cancel"), follow=True)

    waiting.refresh_from_db()
    assert (waiting.status, waiting.reason) == ("cancelled", "Cancelled by operator")
    assert verb(waiting, "cancel") not in told.content.decode()


def test_a_run_that_was_given_up_is_resumed_on_its_page(operator, waiting, queued):
    RuleRun.objects.update(status="quarantined", finished_at=now())
    assert verb(waiting, "resume") in operator.get(page(waiting)).content.decode()

    operator.post(verb(waiting, "resume"))

    waiting.refresh_from_db()
    assert waiting.status == "due"
    assert queued == [str(waiting.pk)]


def test_what_cannot_be_done_says_why(operator, home, queued):
    told = operator.post(verb(home.run, "resume"), follow=True)

    assert "Nothing of this run can be tried again" in text(told)


@pytest.mark.parametrize("name", ["approve", "cancel", "resume"])
def test_a_viewer_decides_nothing(name, viewer, waiting, queued):
    assert verb(waiting, name) not in viewer.get(page(waiting)).content.decode()
    assert viewer.post(verb(waiting, name)).status_code == 403
    waiting.refresh_from_db()
    assert waiting.status == "awaiting_approval"


def test_a_run_that_is_announced_says_until_when(operator, waiting):
    until = now() + timedelta(hours=1)
    RuleRun.objects.update(status="notified", notice_until=until)

    assert "It is carried out after" in text(operator.get(page(waiting)))


# -- all moves


def test_moves_are_paused_and_go_on_from_the_first_page(operator, home, queued):
    first = operator.get("/admin/")
    assert f"Pause all moves in {home.workspace}" in text(first)
    assert switch(home) in first.content.decode()

    paused = operator.post(switch(home), {"pause": "yes"}, follow=True)
    home.workspace.refresh_from_db()
    assert home.workspace.paused_at
    assert f"All moves in {home.workspace} are paused since" in text(paused)

    going_on = operator.post(switch(home), {"pause": "no"}, follow=True)
    home.workspace.refresh_from_db()
    assert home.workspace.paused_at is None
    assert "are paused since" not in text(going_on)


def test_the_switch_is_only_ever_posted(operator, home):
    assert operator.get(switch(home)).status_code == 405
    browser = Client(enforce_csrf_checks=True)
    browser.cookies = operator.cookies
    assert browser.post(switch(home), {"pause": "yes"}).status_code == 403
    home.workspace.refresh_from_db()
    assert home.workspace.paused_at is None


def test_a_switch_without_a_word_changes_nothing(operator, home):
    operator.post(switch(home), {})

    home.workspace.refresh_from_db()
    assert home.workspace.paused_at is None


def test_a_viewer_sees_the_pause_and_cannot_turn_it(viewer, operator, home, queued):
    assert switch(home) not in viewer.get("/admin/").content.decode()
    assert viewer.post(switch(home), {"pause": "yes"}).status_code == 403
    operator.post(switch(home), {"pause": "yes"})

    shown = viewer.get("/admin/")
    assert "are paused since" in text(shown)
    assert switch(home) not in shown.content.decode()


def test_a_foreign_workspace_has_no_switch(operator, foreign):
    assert operator.post(switch(foreign), {"pause": "yes"}).status_code == 404
    nowhere = reverse("pause", args=[uuid4()])
    assert operator.post(nowhere, {"pause": "yes"}).status_code == 404


def test_nobody_turns_a_switch_without_signing_in(db, home):
    answer = Client().post(switch(home), {"pause": "yes"})

    assert answer.status_code == 302
    assert "/login/" in answer.url


# -- an account


def test_an_account_is_protected_and_released_on_its_page(operator, home):
    told = operator.post(verb(home.bills, "protect"), follow=True)
    home.bills.refresh_from_db()
    assert home.bills.protected_at
    assert "no rule moves money in or out" in text(told)

    operator.post(verb(home.bills, "release"), follow=True)
    home.bills.refresh_from_db()
    assert home.bills.protected_at is None


def test_a_viewer_protects_nothing(viewer, home):
    assert viewer.post(verb(home.bills, "protect")).status_code == 403
    assert (
        verb(home.bills, "protect") not in viewer.get(page(home.bills)).content.decode()
    )


def test_a_dry_run_is_a_setting_of_the_workspace_and_the_first_page_says_so(
    owner, home
):
    rows = {"memberships-TOTAL_FORMS": 0, "memberships-INITIAL_FORMS": 0}
    told = {"name": "Home", "base_asset": "", **rows}
    assert "Dry run" not in text(owner.get("/admin/"))

    assert owner.post(page(home.workspace), told | {"dry_run": "on"}).status_code == 302

    home.workspace.refresh_from_db()
    assert home.workspace.dry_run
    assert "Dry run: rules in Home plan and explain" in text(owner.get("/admin/"))
    assert owner.post(page(home.workspace), told).status_code == 302
    assert "Dry run" not in text(owner.get("/admin/"))


def test_the_first_page_says_that_the_whole_installation_is_a_dry_run(owner, settings):
    settings.DRY_RUN = True

    assert "Dry run" in text(owner.get("/admin/"))
