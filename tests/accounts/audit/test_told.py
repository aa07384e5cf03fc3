"""What people do is told: over the API, on the pages, by command, and by nobody in sight."""

from __future__ import annotations

import pytest
from django.core.management import call_command
from django.urls import reverse
from rest_framework.test import APIClient

from accounts import services
from accounts.admin.audit import said
from accounts.models import AuditEvent, Membership, QuarantinedReading
from automation import services as automation
from tests import fixtures_api, fixtures_bank
from tests.automation import conftest as engine
from tests.fixtures_api import V1
from tests.fixtures_signing import pen_for

pytestmark = pytest.mark.django_db
world, published = fixtures_api.world, fixtures_api.published
sandbox, bank = fixtures_bank.sandbox, fixtures_bank.bank
workspace, alice = fixtures_bank.workspace, engine.alice


def told(action: str) -> AuditEvent:
    return AuditEvent.objects.get(action=action)


def ask(client: APIClient, method: str, path: str, body=None, key: str = "k"):
    answer = getattr(client, method)(
        f"{V1}/{path}", body or {}, headers={"Idempotency-Key": key}
    )
    assert answer.status_code < 300, answer.content
    return answer


def test_a_snapshot_that_was_asked_for_is_told_once_with_its_key(alice):
    client = fixtures_api.member("ann", (alice.connection.workspace, "operator"))
    path = f"wallets/{alice.main.pk}/sync-balance"
    alice.fill(alice.main, 1_000_00)

    for _ in range(3):
        ask(client, "post", path, {"idempotency_key": "one"}, key="one")

    event = told("balance.synced")
    assert (event.actor, event.user_id, event.via) == ("ann", client.user.pk, "api")
    assert event.object_id == str(alice.main.pk)
    facts = {name: event.new[name] for name in ("provider", "external_id", "key")}
    assert facts == {
        "provider": alice.main.provider,
        "external_id": alice.main.external_id,
        "key": "one",
    }
    assert (event.new["total"], event.new["asset"]) == ("100000", "GBP/2")


def test_a_signed_request_is_told_with_its_key(world):
    pen = pen_for(world.mine.workspace, world.admin.user)

    answer = pen.ask("POST", f"{V1}/accounts/{world.mine.main.pk}/protect/")

    assert answer.status_code == 200, answer.content
    event = told("account.protected")
    assert event.key_id == pen.key.pk
    assert event.user_id == world.admin.user.pk
    assert event.actor.startswith("admin, by ")


def test_decisions_are_told_with_who_and_why(world, published):
    mine, operator = world.mine, world.operator
    pk = mine.quarantined.pk
    ask(operator, "post", f"quarantine/{pk}/accept/", {"reason": "I have seen it"})
    ask(operator, "post", f"discrepancies/{mine.discrepancy.pk}/ignore/")
    ask(operator, "post", f"accounts/{mine.main.pk}/protect/")
    ask(operator, "post", f"accounts/{mine.main.pk}/release/")
    ask(operator, "post", "pause/")
    ask(operator, "delete", "pause/")
    ask(operator, "post", f"rules/{mine.rule.pk}/runs/")
    ask(operator, "post", f"connections/{mine.connection.pk}/sync/")
    ask(world.admin, "patch", f"accounts/{mine.pot.pk}/", {"role": "rent"})
    ask(world.admin, "delete", f"signing-keys/{mine.signing_key.pk}/")
    sent = {name: "CANARY-2" for name in mine.connection.open_credentials()}
    ask(
        world.admin,
        "patch",
        f"connections/{mine.connection.pk}/",
        {"credentials": sent},
    )

    events = {e.action: e for e in AuditEvent.objects.exclude(user_id=None)}
    assert events.keys() == {
        "reading.accepted",
        "discrepancy.ignored",
        "account.protected",
        "account.released",
        "workspace.paused",
        "workspace.resumed",
        "run.requested",
        "sync.requested",
        "account.changed",
        "signingkey.revoked",
        "connection.credentials_changed",
    }
    for event in events.values():
        assert event.workspace_id == mine.workspace.pk, event
        assert event.actor in ("operator", "admin")
        assert "CANARY" not in f"{event.old}{event.new}"
    accepted = events["reading.accepted"]
    assert accepted.reason == "I have seen it"
    assert (accepted.old["total"], accepted.new["total"]) == ("5000", "9")
    assert QuarantinedReading.objects.get(pk=pk).status == "accepted"
    assert events["account.changed"].old == {"role": ""}


def test_a_rule_is_told_as_one_change_with_what_it_said(world):
    rule = automation.rule_data(world.mine.rule)
    path = f"rules/{world.mine.rule.pk}/"
    before = AuditEvent.objects.latest("pk").pk

    legs = [rule["legs"][0] | {"keep": {"asset": "GBP/2", "minor": "200"}}]
    legs.append(rule["legs"][1])
    ask(world.admin, "patch", path, {"name": "Rent day", "legs": legs})
    ask(world.admin, "patch", path, {"name": "Rent day"})

    [event] = AuditEvent.objects.filter(pk__gt=before)
    assert event.action == "rule.changed"
    assert event.old.keys() == event.new.keys() == {"name", "legs"}
    assert event.old["name"] == "Payday"
    assert event.old["legs"][0]["keep"]["minor"] == "1"
    assert event.new["legs"][0]["keep"]["minor"] == "200"


def test_legs_that_are_changed_past_the_writer_are_told_one_by_one(world):
    world.mine.rule.legs.filter(role="source").update(keep=777)

    event = AuditEvent.objects.filter(object_kind="ruleleg").latest("pk")
    assert (event.action, event.via) == ("ruleleg.changed", "command")
    assert (event.old, event.new) == ({"keep": "1"}, {"keep": "777"})
    assert event.workspace_id == world.mine.workspace.pk


def test_a_command_is_told_as_what_it_is(alice, settings):
    settings.PART = "manage.py emergency_sync"
    call_command("emergency_sync")

    event = told("sync.requested")
    assert event.new == {"kind": "emergency"}
    assert (event.actor, event.via) == ("manage.py emergency_sync", "command")


def test_the_list_is_of_ones_own_workspaces_and_can_be_narrowed(world):
    ask(world.operator, "post", f"accounts/{world.mine.main.pk}/protect/")
    ask(world.stranger, "post", f"accounts/{world.theirs.main.pk}/protect/")
    services.seal()
    where = f"{V1}/audit/"

    def rows(**narrowed) -> list[dict]:
        answer = world.admin.get(where, narrowed)
        assert answer.status_code == 200, answer.content
        return answer.json()["results"]

    [mine] = rows(action="account.protected")
    assert mine["object"] == {"kind": "account", "id": str(world.mine.main.pk)}
    assert (mine["actor"], mine["via"]) == ("operator", "api")
    assert len(mine["seal"]["hash"]) == 64
    assert rows(actor="operator", kind="account") == [mine]
    assert rows(object=str(world.mine.main.pk))[0] == mine
    assert rows(via="job", action="account.protected") == []
    assert {r["workspace"] for r in rows()} == {str(world.mine.workspace.pk)}
    assert world.operator.get(where).status_code == 403
    assert world.admin.get(where, {"via": "hearsay"}).status_code == 400


def test_the_pages_show_the_audit_to_admins_and_lead_there(client, world):
    user = world.admin.user
    user.is_staff = True
    user.save()
    client.force_login(user)
    row = world.mine.main
    address = reverse("admin:accounts_account_change", args=[row.pk])
    form = {
        "name": "Main",
        "category": "",
        "role": "<rent>",
        "goal": "",
        "active": "on",
    }

    assert client.post(address, form).status_code == 302
    history = client.get(reverse("admin:accounts_account_history", args=[row.pk]))
    listed = client.get(history.headers["Location"])

    assert listed.status_code == 200
    page = listed.content.decode()
    assert "account.changed" in page
    assert "&lt;rent&gt;" in page
    event = told("account.changed")
    assert (event.via, event.actor) == ("admin", "admin")
    shown = client.get(reverse("admin:accounts_auditevent_change", args=[event.pk]))
    assert "not sealed yet" in shown.content.decode()
    foreign = AuditEvent.objects.filter(workspace=world.theirs.workspace).first()
    away = client.get(reverse("admin:accounts_auditevent_change", args=[foreign.pk]))
    assert away.status_code in (302, 404)
    Membership.objects.filter(user=user).update(role="operator")
    assert client.get(history.headers["Location"]).status_code == 403


def test_a_line_of_the_list_tells_the_first_fields_as_plain_text():
    assert said({"b": "", "a": 1}) == "a: 1, b: –"
    assert said({name: name for name in "dcba"}) == "a: a, b: b, c: c, …"
    assert len(said({"a": "x" * 200})) == 64
