"""Starting a run by hand: a row first, a message second, one run per key."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from uuid import uuid4

import pytest
from django.db import connection as database

from automation.models import Rule, RuleRun, Transfer
from tests.fixtures_api import ASSET, NOON, V1, build_world, expect_problem, member


def start(client, rule, key="today", body=None):
    headers = {} if key is None else {"Idempotency-Key": key}
    return client.post(f"{V1}/rules/{rule.pk}/runs/", body or {}, headers=headers)


def test_run_is_202_and_its_repeat_200_with_the_same_body(world, published):
    first = start(world.operator, world.mine.rule)
    again = start(world.operator, world.mine.rule)

    assert (first.status_code, again.status_code) == (202, 200)
    assert first.content == again.content
    assert again.headers["Idempotent-Replayed"] == "true"
    run = RuleRun.objects.get(pk=first.json()["id"])
    assert (run.trigger_kind, run.requested_by) == ("api", world.operator.user)
    assert published == [("automation.tasks.execute_run", str(run.pk))]


def test_run_without_a_key_is_400(world, published):
    expect_problem(
        start(world.operator, world.mine.rule, None), 400, "idempotency_key_required"
    )
    assert published == []


def test_key_of_another_person_is_another_run(world, published):
    other = member("second", (world.mine.workspace, "operator"))
    ids = {start(c, world.mine.rule).json()["id"] for c in (world.operator, other)}

    assert len(ids) == 2


def test_key_with_another_body_is_422(world, published):
    start(world.operator, world.mine.rule)

    answer = start(world.operator, world.mine.rule, body={"plan_hash": "x"})

    expect_problem(answer, 422, "idempotency_key_reused")


def test_run_survives_the_loss_of_the_stored_answer(world, published):
    """Keys are forgotten one day; the run itself still knows its own."""
    first = start(world.operator, world.mine.rule)
    from_row = start_after_forgetting(world)

    assert from_row.status_code == 200
    assert from_row.headers["Idempotent-Replayed"] == "true"
    assert from_row.json()["id"] == first.json()["id"]


def start_after_forgetting(world):
    with database.cursor() as cursor:
        cursor.execute("DELETE FROM accounts_idempotencykey")
    return start(world.operator, world.mine.rule)


def test_plan_that_changed_is_not_run(world, published):
    seen = world.operator.post(
        f"{V1}/rules/{world.mine.rule.pk}/preview/", {"refresh": False}
    ).json()

    wrong = start(world.operator, world.mine.rule, "a", {"plan_hash": "0" * 64})
    right = start(
        world.operator, world.mine.rule, "b", {"plan_hash": seen["plan_hash"]}
    )

    expect_problem(wrong, 409, "plan_changed")
    assert right.status_code == 202
    assert len(published) == 1


@pytest.mark.parametrize("body", [{"plan_hash": 5}, {"force": True}, {"amount": "5"}])
def test_odd_bodies_are_400(world, published, body):
    expect_problem(start(world.operator, world.mine.rule, body=body), 400)
    assert published == []


def test_archived_rule_is_not_run(world, published):
    world.admin.delete(f"{V1}/rules/{world.mine.rule.pk}/")

    expect_problem(start(world.operator, world.mine.rule), 409, "archived")


def test_preview_explains_and_moves_nothing(world):
    answer = world.operator.post(
        f"{V1}/rules/{world.mine.rule.pk}/preview/", {"refresh": False}
    )

    told = answer.json()
    assert set(told) == {"plan_hash", "outcome", "reason", "readings", "moves", "trace"}
    assert told["outcome"] == "skipped_stale"
    assert told["readings"][0]["available"]["asset"] == ASSET
    assert RuleRun.objects.filter(rule=world.mine.rule).count() == 1


def test_run_shows_its_transfers_with_their_dedupe_ids(world):
    told = world.viewer.get(f"{V1}/runs/{world.mine.run.pk}/").json()

    (moved,) = told["transfers"]
    assert moved["dedupe_id"] == moved["id"] == str(world.mine.transfer.pk)
    assert moved["money"] == {"asset": ASSET, "minor": "700", "amount": "7.00"}
    assert (told["status"], told["trigger"], told["key"]) == (
        "succeeded",
        "manual",
        "k-mine",
    )


def test_histories_take_as_many_queries_for_many_as_for_one(
    world, django_assert_max_num_queries
):
    mine = world.mine
    for number in range(20):
        run = RuleRun.objects.create(
            rule=mine.rule, key=str(number), trigger_kind="api", scheduled_for=NOON
        )
        for move in range(3):
            Transfer.objects.create(
                id=uuid4(),
                run=run,
                move=move,
                source=mine.main,
                target=mine.pot,
                amount=1,
                asset=ASSET,
                status="done",
                settled_at=NOON,
            )
    for path, most in (
        ("runs/", 5),
        (f"rules/{mine.rule.pk}/runs/", 9),
        ("transfers/?page_size=200", 3),
    ):
        with django_assert_max_num_queries(most):
            told = world.viewer.get(f"{V1}/{path}").json()
        assert len(told["results"]) in (21, 61), path


@pytest.mark.parametrize(
    ("path", "count"),
    [
        ("runs/?status=succeeded", 1),
        ("runs/?status=failed", 0),
        ("transfers/?status=done", 1),
        ("transfers/?needs_person=true", 0),
        ("transfers/?status=unknown", 0),
    ],
)
def test_filters_narrow_the_lists(world, path, count):
    assert len(world.viewer.get(f"{V1}/{path}").json()["results"]) == count


@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    @pytest.fixture
    def world(self):
        return build_world()

    def test_run_is_accepted_promptly_while_the_queue_is_away(self, world, no_broker):
        began = monotonic()

        answer = start(world.operator, world.mine.rule)

        assert monotonic() - began < 5
        assert answer.status_code == 202
        run = RuleRun.objects.get(pk=answer.json()["id"])
        assert run.status in RuleRun.UNFINISHED

    def test_twenty_posts_with_one_key_are_one_run(self, world, published):
        rule = Rule.objects.get(pk=world.mine.rule.pk)
        barrier = threading.Barrier(20)

        def ask(_):
            try:
                barrier.wait(timeout=30)
                return start(world.operator, rule)
            finally:
                database.close()

        with ThreadPoolExecutor(20) as pool:
            answers = list(pool.map(ask, range(20)))

        assert sorted(a.status_code for a in answers) == [200] * 19 + [202]
        assert len({a.json()["id"] for a in answers}) == 1
        assert RuleRun.objects.filter(rule=rule).count() == 2
        assert len(published) == 1
