"""Connections: made, changed, tried, synced, archived; their secrets never shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.utils.timezone import now

import providers
from accounts.models import Connection, Membership, SyncRun, Workspace
from providers.drivers import configure, gate_for
from tests.fixtures_api import (
    V1,
    bank_slug,
    cash_slug,
    connection,
    expect_problem,
    fields_of,
    member,
)


def required(slug: str) -> dict[str, str]:
    wanted = providers.load(slug).fields
    return {f.name: f"CANARY-{f.name}" for f in wanted if f.required}


def path(connection, verb: str = "") -> str:
    return f"{V1}/connections/{connection.pk}/{verb}"


def test_created_connection_keeps_its_secrets_to_itself(world):
    slug = bank_slug()
    answer = world.admin.post(
        f"{V1}/connections/",
        {"provider": slug, "label": "Mine", "credentials": required(slug)},
    )

    assert answer.status_code == 201
    made = Connection.objects.get(pk=answer.json()["id"])
    assert made.workspace == world.mine.workspace
    assert made.open_credentials() == required(slug)
    for shown in (
        answer,
        world.admin.get(path(made)),
        world.admin.get(f"{V1}/connections/"),
    ):
        assert b"CANARY" not in shown.content
        assert "credentials" not in shown.json()


def test_answer_shows_health_consent_and_breaker(world):
    told = world.viewer.get(path(world.mine.connection)).json()

    assert told["health"] == "new"
    assert told["breaker"]["state"] == "closed"
    assert {"consent_expires_at", "last_sync_at", "needs_person"} <= set(told)


def test_missing_and_unknown_credentials_are_named_without_their_values(world):
    slug = bank_slug()
    answer = world.admin.post(
        f"{V1}/connections/", {"provider": slug, "credentials": {"odd": "CANARY"}}
    )

    told = fields_of(expect_problem(answer, 400))
    assert told.pop("credentials.odd") == "unknown_field"
    assert told == {f"credentials.{name}": "required" for name in required(slug)}
    assert b"CANARY" not in answer.content


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "provider"),
        ({"provider": 5}, "provider"),
        ({"provider": "no-such-bank"}, "provider"),
        ({"label": 5}, "label"),
        ({"label": "x" * 101}, "label"),
        ({"label": None}, "label"),
        ({"sync_interval_seconds": 0}, "sync_interval_seconds"),
        ({"sync_interval_seconds": "60"}, "sync_interval_seconds"),
        ({"sync_interval_seconds": 60.0}, "sync_interval_seconds"),
        ({"sync_interval_seconds": True}, "sync_interval_seconds"),
        ({"credentials": []}, "credentials"),
        ({"credentials": {"odd": 5}}, "credentials.odd"),
        ({"workspace": 5}, "workspace"),
        ({"workspace": "mine"}, "workspace"),
        ({"health": "ok"}, "health"),
        ({"external_user": "x"}, "external_user"),
        ({"id": "x"}, "id"),
    ],
)
def test_odd_bodies_are_400_and_make_nothing(world, body, field):
    base = {} if field == "provider" else {"provider": cash_slug()}
    count = Connection.objects.count()

    answer = world.admin.post(f"{V1}/connections/", base | body)

    assert list(fields_of(expect_problem(answer, 400, "invalid"))) == [field]
    assert Connection.objects.count() == count


def test_member_of_several_workspaces_says_which(world):
    both = member(
        "both", (world.mine.workspace, "admin"), (world.theirs.workspace, "admin")
    )
    body = {"provider": cash_slug()}

    silent = both.post(f"{V1}/connections/", body)
    assert fields_of(expect_problem(silent, 400)) == {"workspace": "required"}

    told = both.post(
        f"{V1}/connections/", body | {"workspace": str(world.theirs.workspace.pk)}
    )
    assert told.json()["workspace"] == str(world.theirs.workspace.pk)


def test_role_counts_in_the_workspace_it_was_given_in(world):
    mixed = member(
        "mixed", (world.mine.workspace, "admin"), (world.theirs.workspace, "viewer")
    )

    assert mixed.patch(path(world.mine.connection), {"label": "a"}).status_code == 200
    expect_problem(
        mixed.patch(path(world.theirs.connection), {"label": "a"}), 403, "role_needed"
    )
    body = {"provider": cash_slug(), "workspace": str(world.theirs.workspace.pk)}
    expect_problem(mixed.post(f"{V1}/connections/", body), 403, "role_needed")


def test_workspaces_say_which_role_the_caller_has(world):
    third = Workspace.objects.create(name="third")
    Membership.objects.create(workspace=third, user=world.viewer.user, role="admin")

    told = world.viewer.get(f"{V1}/workspaces/").json()["results"]

    assert {row["name"]: row["role"] for row in told} == {
        "mine": "viewer",
        "third": "admin",
    }


def test_patch_changes_label_interval_and_single_credentials(world):
    row = world.mine.connection
    name = next(iter(required(row.provider)))

    answer = world.admin.patch(
        path(row),
        {
            "label": "New",
            "sync_interval_seconds": 60,
            "credentials": {name: "CANARY-new"},
        },
    )

    assert answer.status_code == 200
    assert b"CANARY" not in answer.content
    row.refresh_from_db()
    assert (row.label, row.sync_interval_seconds) == ("New", 60)
    assert row.open_credentials() == required(row.provider) | {name: "CANARY-new"}


def test_shorter_interval_brings_the_next_sync_forward_and_a_longer_one_leaves_it(
    world,
):
    row = world.mine.connection
    Connection.objects.update(next_sync_at=now() + timedelta(days=7))

    told = world.admin.patch(path(row), {"sync_interval_seconds": 600}).json()
    row.refresh_from_db()
    assert row.next_sync_at <= now() + timedelta(seconds=600)
    assert datetime.fromisoformat(told["next_sync_at"]) == row.next_sync_at
    world.admin.patch(path(row), {"sync_interval_seconds": 86_400})
    assert Connection.objects.get(pk=row.pk).next_sync_at == row.next_sync_at

    later = now() + timedelta(days=1)  # as a provider asks to be left alone
    Connection.objects.update(next_sync_at=later, failures=1)
    world.admin.patch(path(row), {"sync_interval_seconds": 60})
    assert Connection.objects.get(pk=row.pk).next_sync_at == later


def test_end_of_a_consent_is_noted_and_forgotten(world):
    where = path(world.mine.connection)
    soon = (now() + timedelta(days=3, hours=1)).isoformat()

    noted = world.admin.patch(where, {"consent_expires_at": soon}).json()
    assert noted["consent_days_left"] == 3
    for wrong in ("soon", "2026-01-01T00:00:00", 5):
        answer = world.admin.patch(where, {"consent_expires_at": wrong})
        expect_problem(answer, 400)
    forgotten = world.admin.patch(where, {"consent_expires_at": None}).json()
    assert forgotten["consent_days_left"] is None


def test_empty_patch_changes_nothing(world):
    before = world.viewer.get(path(world.mine.connection)).json()

    assert world.admin.patch(path(world.mine.connection), {}).json() == before


@pytest.mark.parametrize(
    "name", ["workspace", "provider", "health", "archived_at", "id"]
)
def test_what_is_not_for_clients_cannot_be_assigned(world, name):
    answer = world.admin.patch(path(world.mine.connection), {name: "x"})

    assert fields_of(expect_problem(answer, 400)) == {name: "unknown_field"}


def test_delete_archives_erases_the_secrets_and_may_be_repeated(world):
    row = world.mine.connection
    for _ in range(2):
        assert world.admin.delete(path(row)).status_code == 204

    row.refresh_from_db()
    assert row.archived_at is not None
    assert row.open_credentials() == {}
    assert world.viewer.get(path(row)).json()["health"] == "archived"


def test_archived_connections_are_listed_only_when_asked_for(world):
    world.admin.delete(path(world.mine.connection))

    def listed(**query):
        told = world.viewer.get(f"{V1}/connections/", query).json()["results"]
        return str(world.mine.connection.pk) in [row["id"] for row in told]

    assert (listed(), listed(archived="true")) == (False, True)


@pytest.mark.parametrize("verb", ["test/", "sync/", "authorize/", ""])
def test_archived_connections_are_not_used(world, published, verb):
    world.admin.delete(path(world.mine.connection))
    ask = world.admin.post if verb else world.admin.patch

    expect_problem(ask(path(world.mine.connection, verb), {}), 409, "archived")
    assert published == []


def test_sync_is_a_row_first_and_a_message_second(world, published):
    answer = world.operator.post(
        path(world.mine.connection, "sync/"), {"kind": "emergency"}
    )

    assert answer.status_code == 202
    run = SyncRun.objects.get(pk=answer.json()["id"])
    assert (run.kind, run.status) == ("emergency", "requested")
    assert published == [("accounts.tasks.run_sync", str(run.pk))]


@pytest.mark.parametrize("kind", ["periodic", "", None, 5, ["manual"]])
def test_odd_kinds_of_sync_are_400(world, published, kind):
    answer = world.operator.post(path(world.mine.connection, "sync/"), {"kind": kind})

    assert list(fields_of(expect_problem(answer, 400))) == ["kind"]
    assert published == []


def test_test_says_why_it_failed_and_shows_no_secret(world, settings):
    settings.PROVIDER_URLS = {bank_slug(): "http://127.0.0.1:9"}

    answer = world.operator.post(path(world.mine.connection, "test/"))

    assert answer.status_code == 200
    told = answer.json()
    assert told["ok"] is False
    assert told["error_code"]
    assert b"CANARY" not in answer.content


def test_authorize_gives_a_page_whose_way_back_is_ours(world, settings):
    settings.BALSYNC_PUBLIC_URL = "https://money.example"

    url = world.admin.post(path(world.mine.connection, "authorize/")).json()["url"]

    assert url.startswith("https://")
    assert f"money.example%2Foauth%2F{bank_slug()}%2Fcallback" in url


def test_authorize_without_consent_is_409(world):
    row = connection(world.mine.workspace, cash_slug())

    expect_problem(world.admin.post(path(row, "authorize/")), 409, "no_consent_needed")


def test_providers_say_what_they_can_and_what_they_need(world):
    rows = world.viewer.get(f"{V1}/providers/").json()["results"]

    assert [row["slug"] for row in rows] == list(providers.slugs())
    bank = next(row for row in rows if row["slug"] == bank_slug())
    assert {"moves_money", "authorizes"} <= set(bank["capabilities"])
    names = {field["name"] for field in bank["credential_fields"]}
    assert required(bank_slug()).keys() <= names
    assert bank["breaker"]["state"] == "closed"
    assert {source["host"] for source in bank["sources"]} == set(
        providers.load(bank_slug()).hosts
    )


def test_source_that_is_left_alone_says_why_and_until_when(world):
    configure(None)
    gate_for(bank_slug()).leave(ok=False, hold=60.0, kind="ban")
    gate_for(bank_slug()).flush()

    rows = world.viewer.get(f"{V1}/providers/").json()["results"]

    (bank,) = (row for row in rows if row["slug"] == bank_slug())
    api = next(source for source in bank["sources"] if source["host"] == "api")
    assert (api["health"], api["reason"]) == ("failed", "Left alone: ban")
    assert api["failures"] == {"ban": 1}
    left = datetime.fromisoformat(api["next_try_at"]) - datetime.now(UTC)
    assert 0 < left.total_seconds() <= 60
    configure(None)


def test_list_takes_as_many_queries_for_thirty_as_for_one(
    world, django_assert_max_num_queries
):
    for _ in range(30):
        connection(world.mine.workspace, bank_slug())
    with django_assert_max_num_queries(5):
        told = world.viewer.get(f"{V1}/connections/").json()
    assert len(told["results"]) == 32
