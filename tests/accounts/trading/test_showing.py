"""What people see of it: commands, pages, files, and how far a sync has come."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django.urls import reverse
from django.utils.timezone import now
from rest_framework.test import APIClient

from accounts import services
from accounts.models import Membership, SyncRun
from accounts.trading.files import COLUMNS, Line, harmless, write_csv
from accounts.trading.progress import Progress
from providers.errors import RateLimited, Refused

from .desk import HERE, read, wipe
from .exchange import history
from .rows import an_order

pytestmark = pytest.mark.django_db


class Terminal(io.StringIO):
    """What somebody looks at."""

    def isatty(self) -> bool:
        return True


def called(*words: str, out=None) -> tuple[str, str]:
    out, err = out or io.StringIO(), out.__class__() if out else io.StringIO()
    call_command(*words, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


@pytest.fixture
def there(connection, bourse):
    bourse.orders, bourse.trades = history(2, 120, 20)
    bourse.balances["A01/8"] = 1
    return bourse


def test_emergency_at_a_terminal_shows_bars_and_a_table(there):
    out, err = called("emergency_sync", out=Terminal())

    assert "100 %" in err
    assert "bourse" in out
    assert "120" in out


def test_what_is_wrong_stands_under_the_table(there):
    there.failing = lambda what: Refused("Delisted") if what == "trades A00Q" else None

    out, _ = called("emergency_sync", out=Terminal())

    assert "partial" in out
    assert "bourse: trades of A00Q: Delisted" in out


def test_scripts_get_json_and_nothing_else(there):
    out, err = called("emergency_sync", "--json", out=Terminal())

    [run] = json.loads(out)["runs"]
    assert (run["status"], run["trading"]["trades"], err) == ("ok", 120, "")
    assert run["trading"]["percent"] == 100


def test_lines_tell_of_trading_too(there):
    assert (
        "3 accounts, 0 requests; done: 22 orders, 120 trades"
        in called("sync", "--wait")[0]
    )


def test_key_that_may_withdraw_is_shouted_about(connection, bourse):
    bourse.may = replace(bourse.may, withdraw=True)

    out, err = called("test_connection", str(connection.pk))

    assert "withdraw" in out
    assert "WARNING: This key may withdraw" in err


def staff(connection, role="viewer") -> Client:
    user = User.objects.create_user(f"the {role}", is_staff=True)
    Membership.objects.create(user=user, workspace=connection.workspace, role=role)
    browser = Client()
    browser.force_login(user)
    return browser


def test_page_of_a_connection_says_that_its_key_may_withdraw(connection, bourse):
    bourse.may = replace(bourse.may, withdraw=True)
    read(connection)

    page = reverse("admin:accounts_connection_change", args=[connection.pk])

    assert "This key may withdraw" in staff(connection).get(page).content.decode()


def test_page_of_a_sync_shows_how_far_it_has_come(there, connection):
    there.failing = lambda what: (
        RateLimited(retry_after=60) if what == "trades A01Q" else None
    )
    [run] = services.sync([connection], "emergency")
    services.carry_on(run.pk)
    browser = staff(connection)

    page = reverse("admin:accounts_syncrun_change", args=[run.pk])
    shown = browser.get(page).content.decode()
    part = browser.get(reverse("admin:accounts_syncrun_progress", args=[run.pk]))

    for text in (shown, part.content.decode()):
        assert 'hx-trigger="every 2s"' in text
        assert "reading histories (3 of 4)" in text
        assert "left alone until" in text
    SyncRun.objects.update(status="ok")
    over = browser.get(reverse("admin:accounts_syncrun_progress", args=[run.pk]))
    assert over.headers["HX-Refresh"] == "true"
    assert "hx-get" not in over.content.decode()


def test_emergency_button_leads_to_what_it_does(connection, published):
    page = reverse(
        "admin:accounts_connection_verb", args=[connection.pk, "emergency-sync"]
    )

    answer = staff(connection, "operator").post(page)

    run = SyncRun.objects.get()
    assert (run.kind, answer.url) == (
        "emergency",
        reverse("admin:accounts_syncrun_change", args=[run.pk]),
    )
    assert published == [("accounts.tasks.run_sync", str(run.pk))]


@pytest.fixture
def published(monkeypatch) -> list[tuple]:
    sent: list[tuple] = []
    monkeypatch.setattr(
        "accounts.publishing.publish",
        lambda task, *args: sent.append((task.name, *args)),
    )
    return sent


def test_report_of_a_recovery_holds_every_row_that_was_missing(there, connection):
    read(connection, "emergency")
    wipe()
    there.orders.append(
        an_order("=cmd()", market=HERE, created=now() - timedelta(days=1))
    )
    there.failing = lambda what: Refused("No") if what == "positions" else None
    run = read(connection, "emergency")
    browser = staff(connection)

    def file(form: str) -> str:
        route = reverse("admin:accounts_syncrun_report", args=[run.pk, form])
        return browser.get(route).getvalue().decode()

    lines = list(csv.DictReader(io.StringIO(file("csv"))))
    told = json.loads(file("json"))
    assert len(lines) == len(told["lines"]) == 120 + 21
    assert {line["kind"] for line in lines} == {"order", "trade"}
    assert (told["status"], told["error_code"]) == ("partial", "refused")
    assert told["trading"]["problems"] == ["positions: No"]
    token = APIClient()
    token.force_authenticate(User.objects.get())
    for form in ("csv", "json"):
        answer = token.get(f"/api/v1/sync-runs/{run.pk}/report.{form}")
        assert answer.getvalue().decode() == file(form)


def test_lists_of_the_api_narrow(there, connection):
    read(connection)
    client = APIClient()
    user = User.objects.create(username="v")
    Membership.objects.create(user=user, workspace=connection.workspace)
    client.force_authenticate(user)

    def count(path: str, **query) -> int:
        return len(
            client.get(f"/api/v1/{path}/", query | {"page_size": "200"}).json()[
                "results"
            ]
        )

    assert count("trades") == 120
    assert count("trades", market="A00Q") == 60
    assert count("trades", side="sell") == 0
    assert count("orders", status="open") == 2
    assert count("orders", connection=str(connection.pk), segment="spot") == 20
    assert count("orders", until=(now() - timedelta(days=60)).isoformat()) == 0
    assert count("positions", open="true", derived="false") == 0
    [one] = client.get("/api/v1/trades/", {"page_size": "1"}).json()["results"]
    assert one["quantity"] == "0.0000012"
    assert (one["pnl"], one["pnl_source"]) == (None, None)


@pytest.mark.parametrize(
    ("cell", "kept"),
    [
        ("=1+1", "'=1+1"),
        ("-1.5", "-1.5"),
        ("-1+1", "'-1+1"),
        ("@x", "'@x"),
        ("a=b", "a=b"),
    ],
)
def test_no_cell_of_a_report_begins_a_formula(cell, kept):
    assert harmless(cell) == kept
    line = Line(*[cell] * len(COLUMNS))
    [_, row] = list(csv.reader(io.StringIO("".join(write_csv({}, [line])))))
    assert set(row) == {kept}


def test_part_that_is_done_only_grows():
    parts = [
        Progress(),
        Progress(stage="histories", books=4),
        Progress(stage="histories", books=4, books_read=3),
        Progress(stage="look_ups", look_ups=9),
        Progress(stage="look_ups", look_ups=9, looked_up=8),
        Progress(stage="working_out"),
        Progress(stage="done"),
    ]

    done = [progress.part for progress in parts]

    assert done == sorted(done)
    assert (done[0], done[-1]) == (0, 100)
