"""What a task of ours knows while it is carried out."""

from __future__ import annotations

import pytest

from accounts.acting import actor
from balsync_project.celery import app


@pytest.fixture
def asked():
    """Return a task that tells who acts, and which message it is carried out for."""

    @app.task(name="tests.asked", bind=True)
    def tell(self):
        return actor(), self.request.id

    yield tell
    app.tasks.unregister(tell.name)


def test_a_job_acts_under_its_own_name_and_knows_its_message(asked):
    who, message = asked.apply(task_id="a message", throw=True).result

    assert (who.name, who.via) == ("tests.asked", "job")
    assert message == "a message"


def test_a_job_that_is_called_acts_under_its_own_name_too(asked):
    who, _ = asked()

    assert (who.name, who.via) == ("tests.asked", "job")
    assert actor() is None
