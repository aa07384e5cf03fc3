"""A start migrates what is missing, and is not deceived about what is there."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.contrib.auth.models import Permission
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from balsync_project import schema

pytestmark = pytest.mark.django_db
OWN = ("accounts", "automation")
OUTFLOW = "one_unsettled_outflow"


@pytest.fixture
def commands(monkeypatch):
    """Return the names of the commands that were called instead of run."""
    called = []
    monkeypatch.setattr(schema, "call_command", lambda name, **_: called.append(name))
    return called


def test_migrations_are_those_that_django_finds():
    found = list(schema.on_disk())

    assert set(found) == MigrationLoader(None).disk_migrations.keys()
    assert len(found) == len(set(found))


def test_database_that_records_everything_is_not_migrated(commands):
    schema.bring_up_to_date()

    assert commands == []


@pytest.mark.parametrize("app", ["accounts", "automation", "knox"])
def test_database_that_lacks_one_migration_is_migrated(app, commands):
    last = max(name for label, name in schema.on_disk() if label == app)
    MigrationRecorder(connection).record_unapplied(app, last)

    schema.bring_up_to_date()

    assert commands == ["migrate"]


def test_empty_database_is_migrated(commands):
    MigrationRecorder(connection).flush()

    schema.bring_up_to_date()

    assert commands == ["migrate"]


def test_database_of_a_newer_balsync_is_left_alone(commands):
    MigrationRecorder(connection).record_applied("accounts", "9999_from_tomorrow")

    schema.bring_up_to_date()

    assert commands == []


def test_what_a_killed_start_left_undone_after_migrating_is_made_up_for():
    Permission.objects.filter(codename="view_rule").delete()

    schema.bring_up_to_date()

    assert Permission.objects.filter(codename="view_rule").exists()


@pytest.mark.parametrize(
    "model",
    [m for label in OWN for m in apps.get_app_config(label).get_models()],
    ids=lambda model: model.__name__,
)
def test_all_that_a_model_promises_stands_in_the_database(model):
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, model._meta.db_table)

    promised = {each.name for each in model._meta.constraints}
    promised |= {each.name for each in model._meta.indexes}
    assert promised <= set(found)
    assert all(
        found[each.name]["unique"] for each in model._meta.total_unique_constraints
    )


def test_an_index_forbids_a_second_unsettled_outflow():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexdef FROM pg_indexes WHERE indexname = %s", [OUTFLOW]
        )
        (told,) = cursor.fetchone()

    assert told.startswith("CREATE UNIQUE INDEX")
    assert "(source_id) WHERE ((NOT needs_person) AND" in told
