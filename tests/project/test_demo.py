"""The demo's payday is judged by the bank's own ledger, and the judge can say no."""

from __future__ import annotations

import io
import json

import pytest
from django.core.management import CommandError, call_command
from rich.console import Console

from accounts.models import Balance, SyncRun
from automation import tasks as automation_tasks
from automation.models import Rule
from balsync_project import demo, first_start
from balsync_project.demo import payday, table
from providers.drivers import configure
from providers.money import pretty
from providers.sandbox import serve, slugs
from tests.fixtures_signing import Pen

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sandbox(settings, monkeypatch):
    configure(None)
    with serve(*slugs()) as running:
        settings.PROVIDER_URLS = running.urls()
        monkeypatch.setenv("BALSYNC_SANDBOX_URL", running.url)
        yield running
    configure(None)


@pytest.fixture
def login(sandbox, tmp_path):
    file = tmp_path / "demo.json"
    demo.seed(file, "http://127.0.0.1:8000")
    return file


@pytest.fixture
def beat(monkeypatch):
    """Beat and the workers, in this process: whoever waits lets them work."""

    def wait(is_done, what):
        for _ in range(20):
            if is_done():
                return
            automation_tasks.dispatch_due_rules()
            automation_tasks.sweep_unsettled()
        runs = list(SyncRun.objects.values_list("kind", "status", "error"))
        raise payday.PaydayWrong(f"{what} did not come: {runs}")

    monkeypatch.setattr(payday, "wait", wait)


def play():
    return demo.play_payday(lambda line: None)


def test_payday_moves_the_salary_and_everything_agrees(login, beat):
    day = play()

    assert day.wrong == []
    assert [run.rule.kind for run in day.runs] == ["sweep", "autosort", "topup"]
    assert [run.trigger_kind for run in day.runs] == ["payday", "manual", "manual"]
    held = day.bank.balances()
    assert sum(held.values()) == sum(day.before.values()) + payday.SALARY


def test_second_payday_is_a_payday_of_its_own(login, beat):
    first, second = play(), play()

    assert second.wrong == []
    assert not {run.pk for run in first.runs} & {run.pk for run in second.runs}


def test_money_that_nobody_ordered_is_noticed(login, beat, monkeypatch):
    order = payday.request_sync
    seen = []

    def steal(day):
        seen.append(day)
        if len(seen) == 2:
            day.bank.spend(day.customer.account.external_id, 1)
        order(day)

    monkeypatch.setattr(payday, "request_sync", steal)

    assert [fault for fault in play().wrong if "expected" in fault]


def test_balance_that_differs_from_the_banks_is_noticed(login, beat):
    day = play()
    account = day.accounts()[0]
    Balance.objects.filter(account=account).update(total=1, available=1, held=0)

    (fault,) = payday.faults_of_books(day)

    assert fault.startswith(f"{account}: we say")


def test_transfer_that_the_bank_does_not_know_is_noticed(login, beat, monkeypatch):
    day = play()
    monkeypatch.setattr(day.bank, "moved", lambda dedupe_id: [])

    assert len(payday.faults_of_runs(day)) == len(day.transfers())


def test_transfer_made_twice_is_noticed(login, beat, monkeypatch):
    day = play()
    once = day.bank.moved
    monkeypatch.setattr(day.bank, "moved", lambda dedupe_id: once(dedupe_id) * 2)

    assert all("2 times" in fault for fault in payday.faults_of_runs(day))


def test_rule_that_did_not_run_is_named(login, beat):
    Rule.objects.filter(kind="topup").update(enabled=False)

    (fault,) = play().wrong

    assert "skipped_disabled" in fault


def test_payday_that_the_bank_refuses_ends_and_says_so(login, beat, sandbox):
    for slug in slugs():
        sandbox[slug].fault("refuse", method="PUT", times=50)

    day = play()

    # The sweep fills the pot that the second rule would share out.
    ends = [run.status for run in day.runs]
    assert ends == ["failed", "skipped_funds", "failed"]
    assert {transfer.status for transfer in day.transfers()} == {"refused"}
    assert [
        end for end, fault in zip(ends, day.wrong, strict=False) if end in fault
    ] == ends


def test_payday_that_went_wrong_fails_the_command(login, beat):
    Rule.objects.filter(kind="topup").update(enabled=False)

    with pytest.raises(CommandError, match="This is wrong"):
        call_command("play_payday")


def test_tables_tell_what_moved_and_why(login, beat):
    day, written = play(), io.StringIO()

    table.show(day, Console(file=written, width=160))

    text = written.getvalue()
    assert "DIFFERS" not in text
    for transfer in day.transfers():
        assert pretty(int(transfer.amount), transfer.source.unit) in text
        assert table.why(transfer.run, transfer)


def test_login_file_is_for_scripts(login, sandbox, client):
    told = json.loads(login.read_text())

    assert told["sandbox_url"] == sandbox.url
    typed = {name: told[name] for name in ("username", "password")}
    assert client.post("/admin/login/", typed)["Location"] == "/admin/"
    header = {"Authorization": f"Token {told['token']}"}
    assert client.get("/api/v1/rules/", headers=header).json()["results"]
    pen = Pen(**told["signing_key"])
    assert pen.ask("GET", "/api/v1/rules/").json()["results"]
    assert {*told} == {
        *("url", "username", "password", "token", "signing_key", "sandbox_url")
    }


def test_second_start_changes_the_address_only(login, sandbox):
    before = json.loads(login.read_text())

    assert demo.seed(login, "http://127.0.0.1:9999") is None

    after = json.loads(login.read_text())
    assert after == {**before, "url": "http://127.0.0.1:9999"}
    assert Rule.objects.count() == 3


def test_first_administrator_is_made_once(tmp_path, db):
    file = tmp_path / "serve.json"
    login = first_start.make_administrator(file, "http://a")

    assert json.loads(file.read_text()) == login
    assert first_start.make_administrator(file, "http://b") is None
    assert json.loads(file.read_text()) == {**login, "url": "http://b"}
