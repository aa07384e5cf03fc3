"""What every test may use. The fixtures of an application live beside its tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from celery import current_app
from django.conf import settings
from django.template import Template
from django.test import TransactionTestCase
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis
from whitenoise.middleware import WhiteNoiseMiddleware

from balsync_project.celery import app
from providers.drivers import gates

from .copies import Copies
from .emptying import Emptying

# How long an example takes says how busy the machine is, and nothing else. The longer
# ones are asked for: `manage.py test <path> --hypothesis-profile=thorough`.
for profile, examples in {
    "patient": 100,
    "thorough": 2_000,
    "exhaustive": 100_000,
}.items():
    hypothesis.register_profile(
        profile,
        max_examples=examples,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
hypothesis.load_profile("patient")
render = Template._render

# Whole trees, workers that are killed, browsers, thousands of stories: nothing should
# wait for them at the end.
LONGEST = (
    "chaos/",
    "project/test_tree",
    "crash/",
    "outage/",
    "browser/",
    "project/test_supervisor",
    "accounts/streaming/",
    "simulation/",
    "admin/test_conditions",
    "admin/test_pages",
    "automation/api/test_authorization",
    "automation/rules/test_properties",
    "providers/drivers/test_drivers",
    "providers/contract/test_reading",
    "described/",
)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the files that take longest begin; the order of the others is chance."""
    tests = str(Path(__file__).parent)
    first = tuple(f"{tests}/{name}" for name in LONGEST)
    items.sort(key=lambda item: not str(item.path).startswith(first))


@pytest.fixture
def valkey() -> Iterator[redis.Redis]:
    """The Valkey of this process's tests, emptied before and after."""
    client = redis.Redis.from_url(settings.REDIS_URL)
    client.flushdb()
    yield client
    client.flushdb()
    client.close()


@pytest.fixture
def no_broker(tmp_path: Path) -> Iterator[None]:
    """A queue that nobody listens at."""
    was = app.conf.broker_url, app.conf.task_always_eager
    app.conf.broker_url = f"redis+socket://{tmp_path}/nobody.sock"
    app.conf.task_always_eager = False
    app._after_fork()  # forgets its connections
    yield
    app.conf.broker_url, app.conf.task_always_eager = was
    app._after_fork()


@pytest.fixture(autouse=True)
def calm() -> Iterator[None]:
    """Forget what breakers learnt from the faults of other tests."""
    gates.configure(None)
    yield
    gates.configure(None)


@pytest.fixture(autouse=True)
def tasks_stay_ours() -> Iterator[None]:
    """Name the test that leaves another Celery behind: tasks would go to its broker."""
    yield
    assert current_app.main == app.main


@pytest.fixture(scope="session", autouse=True)
def pages_render_as_anywhere_else(django_test_environment) -> None:
    """Keep Django from copying every context; a page's own is its `context_data`."""
    Template._render = render


@pytest.fixture(scope="session", autouse=True)
def static_files_are_looked_up_once() -> Iterator[None]:
    """Let the clients share what a server looks up when it starts."""
    find, found = WhiteNoiseMiddleware.add_files_from_finders, {}

    def share(middleware: WhiteNoiseMiddleware) -> None:
        if not found:
            find(middleware)
            found.update(middleware.files)
        middleware.files.update(found)

    WhiteNoiseMiddleware.add_files_from_finders = share
    yield
    WhiteNoiseMiddleware.add_files_from_finders = find


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings, django_db_blocker, testrun_uid, worker_id
) -> Iterator[Copies | None]:
    """Let one of several processes migrate, and the others copy."""
    if worker_id == "master":
        yield None
        return
    with django_db_blocker.unblock():
        copies = Copies(testrun_uid)
        copies.before()
        yield copies
        copies.forget()


@pytest.fixture(scope="session")
def django_db_setup(
    django_db_setup, django_db_modify_db_settings, django_db_blocker
) -> Iterator[None]:
    """Bring committed tests back to what the migrations wrote, beat's rows included."""
    if copies := django_db_modify_db_settings:
        with django_db_blocker.unblock():
            copies.after()
    with django_db_blocker.unblock():
        emptying = Emptying()
    original = TransactionTestCase._fixture_teardown
    TransactionTestCase._fixture_teardown = lambda self: emptying()
    yield
    TransactionTestCase._fixture_teardown = original
