"""A worker dies between any two effects of a run: one rule kind here, all by command."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.conf import settings as configured
from django.db import connection
from django.db.models import F

from accounts.models import Balance
from accounts.services import call
from automation.services.routes import place
from providers.sandbox.server import Sandbox, serve
from tests.crash.points import Ground
from tests.crash.tracing import MOVES
from tests.crash.workers import Workers
from tests.fixtures_bank import BANK
from tests.guards import unguarded

pytestmark = pytest.mark.django_db(transaction=True)
KIND = "pot to pot"  # two calls, of which the second waits for the first
TOGETHER = "side by side"  # three people's runs, of which one has two calls
KEPT = ("COMMIT", ", committed")
DEATHS = 4  # the fifth in a row would be taken for the run's own fault


@pytest.fixture(scope="module")
def town() -> Iterator[Sandbox]:
    """One bank for all tests here, because it takes long to start the workers."""
    with serve(BANK) as running:
        yield running


@pytest.fixture(scope="module")
def workers(town, django_db_setup) -> Iterator[Workers]:
    database = urlsplit(os.environ["DATABASE_URL"])
    name = connection.settings_dict["NAME"]
    workers = Workers(
        os.environ
        | {
            "DATABASE_URL": database._replace(path=f"/{name}").geturl(),
            "BALSYNC_PROVIDER_URLS": json.dumps(town.urls()),
            "BALSYNC_INSTALLATION_ID": str(configured.INSTALLATION_ID),
            "CREDENTIAL_KEYS": ",".join(configured.CREDENTIAL_KEYS),
        }
    )
    yield workers
    workers.close()


@pytest.fixture
def ground(town, workspace, workers, settings) -> Ground:
    settings.PROVIDER_URLS = town.urls()
    return Ground(town[BANK], workspace, workers)


def test_the_tracer_sees_every_sort_of_step(ground):
    labels = ground.labels(KIND, "first run")

    assert labels.count("after the step Answered") == 2
    assert sum(label.endswith(MOVES) for label in labels) == 4
    assert "after COMMIT" in labels
    planned = "UPDATE automation_rulerun, INSERT automation_transfer"
    settled = "UPDATE automation_transfer, UPDATE accounts_balance"
    handed_on = f"{settled}, UPDATE automation_transfer"
    assert f"before {planned}" in labels
    assert any(label.startswith(f"after {handed_on}") for label in labels)
    assert labels[-1].startswith(f"after {settled}, UPDATE automation_rulerun")
    assert labels[-1].endswith("UPDATE automation_rule, committed")
    assert any(label.startswith("before GET") for label in labels)


@pytest.mark.parametrize(("phase", "legs_left"), [("first run", 2), ("recovery", 1)])
def test_a_worker_killed_at_any_boundary_moves_each_leg_once(ground, phase, legs_left):
    points = list(ground.gaps(KIND, phase))

    wrong = {str(point): ground.strike(point) for point in points}

    print(f"{len(points)} points of {KIND}, {phase}")
    passed = [point.label for point in points]
    asked = [spot for spot, label in enumerate(passed) if label.endswith(MOVES)]
    assert len(asked) == legs_left
    for spot in asked:  # a worker died with the intent kept, and with the answer kept
        assert passed[spot - 1].endswith(KEPT)
        assert passed[spot + 1].endswith(KEPT)
    assert {point: said for point, said in wrong.items() if said} == {}


@pytest.mark.parametrize(
    ("kind", "least"),
    [
        (KIND, 1),  # of a reading, and of its plan along with it
        (TOGETHER, 2),  # of each
    ],
)
def test_an_exception_at_a_commit_moves_each_leg_once(ground, kind, least):
    """Django leaves the transaction open there, and says of that alone."""
    points = [
        point
        for point in ground.points(kind, "first run", "exception")
        if point.label.endswith("COMMIT")
    ]

    wrong = {str(point): ground.strike(point) for point in points}

    assert len(points) >= 2 * least  # before and after
    assert {point: said for point, said in wrong.items() if said} == {}


def test_a_worker_killed_beside_others_moves_each_leg_once(ground):
    points = list(ground.gaps(TOGETHER, "first run"))

    wrong = {str(point): ground.strike(point) for point in points}

    print(f"{len(points)} points of {TOGETHER}")
    asked = [point.label for point in points if point.label.endswith(MOVES)]
    assert len(asked) == 4  # three at once, and the second leg of one
    assert {point: said for point, said in wrong.items() if said} == {}


def test_a_run_outlives_four_workers_in_a_row(ground):
    scene = ground.scene("autosort")
    sent = next(x for x in ground.labels(scene.kind, "first run") if x.endswith(MOVES))
    sent = sent.replace("before", "after")

    for _ in range(DEATHS):
        ground.let_leases_lapse(scene)
        ground.workers.work(*scene.task, at=(sent, 0))

    ground.recover(scene)
    assert ground.judge(scene) == []


def test_what_is_sent_again_stays_reserved_beside_what_follows(ground):
    scene = ground.scene("autosort")
    ask = next(x for x in ground.labels(scene.kind, "first run") if x.endswith(MOVES))
    ground.workers.work(*scene.task, at=(ask, 0))
    minute = timedelta(minutes=1)  # so it is read again, after it was first sent
    Balance.objects.filter(account__in=scene.accounts).update(
        as_of=F("as_of") - minute, fetched_at=F("fetched_at") - minute
    )

    ground.recover(scene)

    assert ground.judge(scene) == []


def test_a_judge_sees_a_leg_that_was_moved_twice(ground):
    scene = ground.scene(KIND)
    ground.recover(scene)
    assert ground.judge(scene) == []
    first = scene.run.transfers.select_related("source__connection").first()
    again = (place(first.source), place(first.target), int(first.amount))

    call(
        first.source.connection,
        lambda adapter: adapter.transfer(*again, dedupe_id="another"),
    )

    said = " ".join(ground.judge(scene))
    assert "the bank moved" in said
    assert "dedupe ids" in said
    assert "is said to hold" in said


def test_a_judge_sees_books_that_differ_from_the_bank(ground):
    scene = ground.scene(KIND)
    ground.recover(scene)

    with unguarded():
        scene.run.transfers.update(amount=1)

    assert "the books say" in " ".join(ground.judge(scene))
