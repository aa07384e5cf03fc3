"""A test that commits leaves what the migrations wrote, and nothing else."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.test import TransactionTestCase
from django_celery_beat.models import PeriodicTask

from accounts.models import Connection, Workspace


def written():
    return [
        set(m.objects.values_list()) for m in (PeriodicTask, ContentType, Permission)
    ]


@pytest.mark.django_db(transaction=True)
def test_rows_of_migrations_come_back_and_all_others_go():
    before = written()
    workspace = Workspace.objects.create(name="home")
    Connection.objects.create(workspace=workspace, provider="somewhere")
    PeriodicTask.objects.update(enabled=False)
    PeriodicTask.objects.first().delete()
    Permission.objects.all().delete()

    TransactionTestCase._fixture_teardown(None)

    assert all(before)
    assert written() == before
    assert not Workspace.objects.exists()
    assert not Connection.objects.exists()
