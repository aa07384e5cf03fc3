from __future__ import annotations

import json
from io import StringIO
from threading import Thread

import pytest
from django.core.management import CommandError, call_command
from django.db import connections as databases

from accounts import services
from accounts.models import (
    AuthorizationRequest,
    Balance,
    Connection,
    SyncRun,
    Workspace,
)

from .conftest import BANK

pytestmark = pytest.mark.django_db


def run(*words: str, **options) -> tuple[dict, str]:
    out, err = StringIO(), StringIO()
    call_command(*words, "--json", stdout=out, stderr=err, **options)
    return json.loads(out.getvalue()), err.getvalue()


def given(credentials) -> list[str]:
    return [w for k, v in credentials.items() for w in ("--credential", f"{k}={v}")]


def test_connect_prints_the_id_and_makes_the_workspace(db, bank):
    words = given(bank.credentials())

    told, _ = run("connect", BANK, "--workspace", "new home", "--label", "Me", *words)

    made = Connection.objects.get(pk=told["id"])
    assert (made.label, made.workspace.name) == ("Me", "new home")
    assert made.open_credentials() == dict(bank.credentials())
    assert Workspace.objects.count() == 1


def test_connect_says_what_is_missing(db, bank):
    with pytest.raises(CommandError, match="credentials_incomplete"):
        run("connect", BANK, "--workspace", "home", "--credential", "client_id=x")
    with pytest.raises(CommandError, match="name=value"):
        run("connect", BANK, "--workspace", "home", "--credential", "client_id")


@pytest.mark.django_db(transaction=True)
def test_connect_prints_where_to_consent_and_waits(bank, monkeypatch, settings):
    monkeypatch.setattr(
        "accounts.services.authorization.callback_address", lambda slug: "http://x/cb"
    )
    words = given({k: v for k, v in bank.credentials().items() if "token" not in k})
    said = StringIO()

    def person() -> None:
        try:
            while "Give consent here: " not in said.getvalue():
                pass
            url = said.getvalue().split("Give consent here: ")[1].strip()
            state, code = come_back(bank, url)
            services.finish_authorization(state, code)
        finally:
            databases.close_all()

    browser = Thread(target=person)
    browser.start()
    out = StringIO()
    call_command(
        "connect", BANK, "--json", "--workspace", "w", *words, stdout=out, stderr=said
    )
    browser.join()

    assert json.loads(out.getvalue())["health"] == "ok"
    assert Balance.objects.exists()


def come_back(bank, url: str) -> tuple[str, str]:
    query = dict(p.split("=") for p in bank.consent(url).split("?")[1].split("&"))
    return query["state"], query["code"]


def test_connect_gives_up_when_nobody_consents(bank, db, monkeypatch):
    monkeypatch.setattr(
        "accounts.services.authorization.callback_address", lambda slug: "http://x/cb"
    )
    words = given({k: v for k, v in bank.credentials().items() if "token" not in k})

    with pytest.raises(CommandError, match="No consent"):
        run("connect", BANK, "--workspace", "w", "--timeout", "0", *words)
    assert AuthorizationRequest.objects.filter(used_at=None).exists()


def test_sync_waits_and_says_what_came(people):
    people(2, pots=1)

    told, _ = run("sync", "--wait")

    assert [r["status"] for r in told["runs"]] == ["ok", "ok"]
    assert all(r["accounts"] for r in told["runs"])
    assert Balance.objects.count() == 4


def test_sync_without_waiting_asks_a_worker(person):
    told, _ = run("sync", "--connection", str(person[1].pk))

    assert [r["status"] for r in told["runs"]] == ["requested"]
    assert SyncRun.objects.get().status == "requested"


def test_sync_that_fails_ends_with_an_error(person, bank):
    bank.fault("5xx", times=None)

    with pytest.raises(CommandError) as caught:
        run("sync", "--wait")
    assert caught.value.returncode == 1


def test_sync_of_nothing_known_is_refused(db):
    for wrong in ("nonsense", "00000000-0000-0000-0000-000000000000"):
        with pytest.raises(CommandError, match="no connection"):
            run("sync", "--connection", wrong)


def test_emergency_sync_reads_everything_now(people):
    people(2, pots=1)

    told, _ = run("emergency_sync")

    assert {r["kind"] for r in told["runs"]} == {"emergency"}
    assert Balance.objects.exists()


def test_connection_is_tested_from_the_command_line(person, bank):
    told, _ = run("test_connection", str(person[1].pk))
    assert (told["ok"], told["accounts"]) == (True, 3)

    bank.fault("5xx", times=None)
    with pytest.raises(CommandError, match="unavailable"):
        run("test_connection", str(person[1].pk))


def test_keys_are_rotated_from_the_command_line(person):
    told, _ = run("rotate_keys")

    assert told == {"sealed": 0, "current": 1, "unreadable": []}


def test_people_get_lines_instead_of_json(person):
    out = StringIO()

    call_command("sync", "--wait", stdout=out)

    assert f"{person[1].pk} ok: 3 accounts" in out.getvalue()
