"""What is told of a change: by whom, what was and what is, and never twice or altered."""

from __future__ import annotations

import re

import pytest
from django.db import IntegrityError, connection, transaction

from accounts.acting import Actor, acting, because
from accounts.models import AuditEvent, CheckSetting, Workspace
from accounts.services import NotWithItsChange, audit
from accounts.services.auditing import FOLLOWED
from tests import fixtures_api

pytestmark = pytest.mark.django_db
world = fixtures_api.world
ADA = Actor("ada", "api", user=7, key="", request="r-1")


def newest(kind: str) -> AuditEvent:
    return AuditEvent.objects.filter(object_kind=kind).latest("pk")


def run(sql: str, *params: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)


def test_an_event_says_who_what_and_why_with_amounts_as_strings():
    place = Workspace.objects.create(name="home")

    with acting(lambda: ADA), because("A letter of the bank"):
        made = audit("balance.synced", place, workspace=place, new={"total": 10**40})

    made.refresh_from_db()
    assert (made.actor, made.user_id, made.via) == ("ada", 7, "api")
    assert (made.object_kind, made.object_id) == ("workspace", str(place.pk))
    assert made.new == {"total": "1" + "0" * 40}
    assert (made.reason, made.request_id) == ("A letter of the bank", "r-1")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE accounts_auditevent SET reason = 'another'",
        "DELETE FROM accounts_auditevent",
        "TRUNCATE accounts_auditevent, accounts_auditseal",
        "SET LOCAL balsync.retention = 'on'; DELETE FROM accounts_auditevent",
    ],
)
def test_what_was_told_is_neither_altered_nor_forgotten(statement):
    audit("balance.synced", new={"total": 1})

    with (
        pytest.raises(IntegrityError, match="append-only"),
        transaction.atomic(),
    ):
        run(statement)

    assert AuditEvent.objects.filter(action="balance.synced").count() == 1


@pytest.mark.django_db(transaction=True)
def test_nothing_is_told_apart_from_its_change():
    with pytest.raises(NotWithItsChange):
        audit("balance.synced")
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        Workspace.objects.create(name="never")
        audit("balance.synced")
        raise ZeroDivisionError

    assert not AuditEvent.objects.filter(action="balance.synced").exists()
    assert not AuditEvent.objects.filter(object_kind="workspace").exists()


def test_a_changed_setting_is_told_with_just_what_changed(world):
    row = CheckSetting.objects.create(
        workspace=world.mine.workspace, rule="unrealistic", threshold="1000000000"
    )
    row.threshold, row.severity = "2000000000", "error"
    row.save()

    told = newest("checksetting")
    assert told.action == "checksetting.changed"
    assert told.workspace_id == world.mine.workspace.pk
    assert told.old == {"threshold": "1000000000.000000000000000000", "severity": ""}
    assert told.new == {
        "threshold": "2000000000.000000000000000000",
        "severity": "error",
    }


def test_a_statement_typed_by_hand_is_told_too_and_names_the_role(world):
    run("SET LOCAL balsync.part = ''")
    run("UPDATE accounts_workspace SET paused_at = now() WHERE name = 'mine'")

    told = newest("workspace")
    assert (told.action, told.via) == ("workspace.paused", "database")
    assert told.actor == connection.get_connection_params()["user"]


def test_saving_without_a_change_tells_nothing(world):
    before = AuditEvent.objects.count()

    world.mine.connection.save()
    world.mine.main.save()
    world.mine.signing_key.note_use()

    assert AuditEvent.objects.count() == before


def test_every_table_that_is_followed_is_told_who_acts():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger "
            "WHERE tgname LIKE 'audit\\_%'"
        )
        tables = {name for (name,) in cursor.fetchall()}

    assert len(tables) > 10
    for table in tables:
        assert FOLLOWED.match(f'UPDATE "{table}" SET x')


def test_a_request_is_told_with_its_user_and_leaves_no_trace_for_the_next(world):
    answer = world.admin.patch(
        f"/api/v1/connections/{world.mine.connection.pk}/", {"label": "Joint"}
    )
    assert answer.status_code == 200, answer.content
    told = newest("connection")
    assert (told.via, told.actor) == ("api", "admin")
    assert told.user_id == world.admin.user.pk
    assert told.new == {"label": "Joint"}
    assert re.fullmatch(r"[0-9a-f-]{36}", told.request_id)


def test_secrets_are_never_told(world):
    user = world.admin.user
    user.set_password("another horse")
    user.save()

    told = newest("user")
    assert (told.old, told.new) == ({"password": "(secret)"}, {"password": "(secret)"})
    assert "CANARY" not in str(list(AuditEvent.objects.values("old", "new")))
