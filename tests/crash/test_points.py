"""A worker dies between any two effects of a run: one rule kind here, all by command."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from accounts.services import call
from automation.services.routes import place
from tests.crash.points import Ground
from tests.crash.tracing import MOVES
from tests.crash.workers import Workers

pytestmark = pytest.mark.django_db(transaction=True)
KIND = "pot to pot"  # two calls, of which the second waits for the first


@pytest.fixture
def ground(bank, workspace, worker_environment) -> Iterator[Ground]:
    workers = Workers(worker_environment)
    yield Ground(bank, workspace, workers)
    workers.close()


def test_the_tracer_sees_every_sort_of_step(ground):
    labels = ground.labels(KIND, "first run")

    assert labels.count("after the step Answered") == 2
    assert sum(label.endswith(MOVES) for label in labels) == 4
    assert "after COMMIT" in labels
    assert "before INSERT automation_transfer" in labels
    assert any(label.startswith("before GET") for label in labels)


@pytest.mark.parametrize("phase", ["first run", "recovery"])
def test_a_worker_killed_at_any_boundary_moves_each_leg_once(ground, phase):
    points = list(ground.gaps(KIND, phase))

    wrong = {str(point): ground.strike(point) for point in points}

    print(f"{len(points)} points of {KIND}, {phase}")
    assert len(points) > 9
    assert {point: said for point, said in wrong.items() if said} == {}


def test_a_judge_sees_a_leg_that_was_moved_twice(ground):
    scene = ground.scene(KIND)
    ground.workers.work(*scene.task)
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
    assert "is believed to hold" in said


def test_a_judge_sees_books_that_differ_from_the_bank(ground):
    scene = ground.scene(KIND)
    ground.workers.work(*scene.task)

    scene.run.transfers.update(amount=1)

    assert "the books say" in " ".join(ground.judge(scene))
