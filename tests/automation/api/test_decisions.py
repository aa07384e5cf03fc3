"""What people decide over the API: about a run, a workspace, an account."""

from __future__ import annotations

import pytest
from django.utils.timezone import now

from accounts.models import Account, Workspace
from automation.models import RuleRun
from tests import fixtures_api
from tests.fixtures_api import ASSET, V1, expect_problem, fields_of, member

queued = fixtures_api.queued
HASH = "a" * 64


@pytest.fixture
def waiting(world) -> RuleRun:
    """A run that shows its plan and waits for a person."""
    mine = world.mine
    money = {"asset": ASSET, "minor": "700", "amount": "7.00"}
    return RuleRun.objects.create(
        rule=mine.rule,
        key="waits",
        trigger_kind="daily",
        scheduled_for=now(),
        status="awaiting_approval",
        planned_at=now(),
        plan_hash=HASH,
        outcome="planned",
        moves=[
            {"source": str(mine.main.pk), "target": str(mine.pot.pk), "money": money}
        ],
    )


def decide(client, run, verb, body=None, key=None):
    headers = {"Idempotency-Key": key} if key else {}
    return client.post(f"{V1}/runs/{run.pk}/{verb}/", body or {}, headers=headers)


def test_an_approval_says_who_and_when_and_queues_the_run(world, waiting, queued):
    answer = decide(world.operator, waiting, "approve", {"plan_hash": HASH})

    told = answer.json()
    assert answer.status_code == 200
    assert (told["status"], told["approved_by"]) == ("awaiting_approval", "operator")
    assert told["approved_at"]
    assert told["wanted_hash"] == HASH
    assert told["trace"][-1]["step"] == "approved"
    assert queued == [str(waiting.pk)]


def test_a_plan_that_is_not_shown_is_409(world, waiting, queued):
    wrong = decide(world.operator, waiting, "approve", {"plan_hash": "b" * 64})

    expect_problem(wrong, 409, "plan_changed")
    waiting.refresh_from_db()
    assert waiting.approved_at is None
    assert queued == []


@pytest.mark.parametrize("body", [{"plan_hash": 5}, {"force": True}])
def test_an_odd_approval_is_400(body, world, waiting, queued):
    expect_problem(decide(world.operator, waiting, "approve", body), 400)
    assert queued == []


def test_a_repeated_approval_is_answered_as_the_first(world, waiting, queued):
    first = decide(world.operator, waiting, "approve", key="k")
    again = decide(world.operator, waiting, "approve", key="k")

    assert again.content == first.content
    assert again.headers["Idempotent-Replayed"] == "true"
    assert decide(world.operator, waiting, "approve").status_code == 200


@pytest.mark.parametrize(
    ("verb", "code"),
    [
        ("approve", "not_awaiting_approval"),
        ("cancel", "run_ended"),
        ("resume", "not_resumable"),
    ],
)
def test_what_cannot_be_done_to_a_run_is_409_and_says_why(verb, code, world, queued):
    run = world.mine.run

    expect_problem(decide(world.operator, run, verb), 409, code)
    run.refresh_from_db()
    assert (run.status, run.trace) == ("succeeded", [])


def test_a_cancelled_run_has_ended(world, waiting, queued):
    told = decide(world.operator, waiting, "cancel").json()

    assert (told["status"], told["reason"]) == ("cancelled", "Cancelled by operator")
    assert decide(world.operator, waiting, "cancel").status_code == 200
    assert str(waiting.pk) not in queued


def test_a_run_that_was_given_up_is_resumed(world, waiting, queued):
    RuleRun.objects.filter(pk=waiting.pk).update(
        status="quarantined", finished_at=now()
    )

    told = decide(world.operator, waiting, "resume").json()

    assert told["status"] == "due"
    assert queued == [str(waiting.pk)]


def test_moves_are_paused_and_go_on(world, waiting, queued):
    paused = world.operator.post(f"{V1}/pause/", {})
    assert paused.status_code == 200
    assert paused.json()["workspace"] == str(world.mine.workspace.pk)
    since = paused.json()["paused_at"]
    assert since
    assert world.operator.post(f"{V1}/pause/", {}).json()["paused_at"] == since
    (told,) = world.viewer.get(f"{V1}/workspaces/").json()["results"]
    assert told["paused_at"] == since

    going_on = world.operator.delete(f"{V1}/pause/")

    assert going_on.json()["paused_at"] is None
    assert world.operator.delete(f"{V1}/pause/").status_code == 200
    assert queued == []  # a plan that waits for its approval goes on waiting


def test_what_waited_for_a_pause_is_queued_when_it_ends(world, waiting, queued):
    RuleRun.objects.filter(pk=waiting.pk).update(
        approved_at=now(), next_attempt_at=now()
    )
    world.operator.post(f"{V1}/pause/", {})
    RuleRun.objects.filter(pk=waiting.pk).update(next_attempt_at="2999-01-01T00:00Z")

    world.operator.delete(f"{V1}/pause/")

    assert queued == [str(waiting.pk)]


def test_who_has_two_workspaces_says_which(world, queued):
    mine, theirs = world.mine.workspace, world.theirs.workspace
    both = member("both", (mine, "operator"), (theirs, "viewer"))

    vague = expect_problem(both.post(f"{V1}/pause/", {}), 400)
    assert fields_of(vague) == {"workspace": "required"}
    expect_problem(both.delete(f"{V1}/pause/"), 400)
    assert both.post(f"{V1}/pause/", {"workspace": str(mine.pk)}).status_code == 200
    refused = both.post(f"{V1}/pause/", {"workspace": str(theirs.pk)})
    expect_problem(refused, 403, "role_needed")
    assert both.delete(f"{V1}/pause/?workspace={mine.pk}").status_code == 200
    expect_problem(both.delete(f"{V1}/pause/?workspace=x"), 400)
    assert not Workspace.objects.exclude(paused_at=None).exists()


def test_a_foreign_workspace_cannot_be_paused(world):
    foreign = {"workspace": str(world.theirs.workspace.pk)}

    expect_problem(world.operator.post(f"{V1}/pause/", foreign), 400)
    assert not Workspace.objects.exclude(paused_at=None).exists()


def test_an_account_is_protected_and_released(world):
    path = f"{V1}/accounts/{world.mine.pot.pk}"

    since = world.operator.post(f"{path}/protect/", {}).json()["protected_at"]
    assert since
    assert world.operator.post(f"{path}/protect/", {}).json()["protected_at"] == since
    assert world.viewer.get(f"{path}/").json()["protected_at"] == since

    assert world.operator.post(f"{path}/release/", {}).json()["protected_at"] is None
    assert world.operator.post(f"{path}/release/", {}).status_code == 200
    assert not Account.objects.exclude(protected_at=None).exists()


def test_the_plan_that_was_seen_is_the_plan_of_the_run(world, published):
    """The run keeps what was seen: a worker holds its own plan against it."""
    seen = world.operator.post(
        f"{V1}/rules/{world.mine.rule.pk}/preview/", {"refresh": False}
    ).json()

    told = world.operator.post(
        f"{V1}/rules/{world.mine.rule.pk}/runs/",
        {"plan_hash": seen["plan_hash"]},
        headers={"Idempotency-Key": "k"},
    ).json()

    assert told["wanted_hash"] == told["plan_hash"] == seen["plan_hash"]
    assert told["approved_by"] == "operator"
    assert told["moves"] == seen["moves"]
