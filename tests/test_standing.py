"""A world that stands already is the one that was built, and can be spoiled by nobody."""

from __future__ import annotations

import pytest
from django.db import transaction

from accounts.models import AuditEvent, Workspace

from .fixtures_api import V1, World, build_world
from .standing import Standing, rows

pytestmark = pytest.mark.django_db


def ended(build) -> tuple[World, dict]:
    """Return what was built, and all rows there were, in a transaction that is undone."""
    with transaction.atomic():
        made, there = build(), rows()
        transaction.set_rollback(True)
    return made, there


def test_rows_are_put_back_as_they_were_built():
    standing = Standing(build_world)

    built, first = ended(standing)
    again, second = ended(standing)

    assert second == first
    assert again.mine.main.pk == built.mine.main.pk
    assert any("accounts_auditevent" in table for table, _ in first)


def test_objects_are_new_and_what_one_test_changed_is_not_there_for_the_next():
    standing = Standing(build_world)
    built, _ = ended(standing)
    built.mine.workspace.name = "spoiled"

    again = standing()

    assert again.mine.workspace.name == "mine"
    assert again.mine.rule.workspace is again.mine.workspace
    answer = again.viewer.get(f"{V1}/accounts/{again.mine.main.pk}/")
    assert answer.json()["name"] == "Main"


def test_what_is_there_beside_it_stays():
    standing = Standing(build_world)
    ended(standing)
    Workspace.objects.create(name="beside")
    told = AuditEvent.objects.count()

    standing()

    assert set(Workspace.objects.values_list("name", flat=True)) == {
        "beside",
        "mine",
        "theirs",
    }
    assert AuditEvent.objects.count() > told


def test_a_world_that_undoes_something_is_refused():
    Workspace.objects.create(name="beside")

    with pytest.raises(ValueError, match="only be added"):
        Standing(lambda: Workspace.objects.update(name="changed"))()
