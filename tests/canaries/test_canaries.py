"""No secret stands where it need not: not in a log, a dump, Valkey, a page or an answer.

What is planted is planted as people do it: by connecting, syncing through failures,
listening to webhooks, signing in with right and wrong passwords and codes, making keys.
"""

from __future__ import annotations

import json
from base64 import b32decode
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest
from django.conf import settings as configured
from django.contrib.auth.models import User
from django.test import Client
from django.views.debug import ExceptionReporter

import providers
from accounts import services
from accounts.models import Connection, Membership, Preference
from accounts.services import calling, events
from providers.errors import ProviderError
from tests.automation.api.test_authorization import MATRIX
from tests.fixtures_api import V1
from tests.fixtures_bank import BANK
from tests.fixtures_signing import Pen, send
from tests.project.test_signing_in import LOGIN, STEP, set_up, wait

from . import places

PASSWORD = "canary-Pw-6kq2-correct-horse"
MISTYPED = "canary-Pw-9zt7-wrong-horse"
HOOK = "http://127.0.0.1:9/canary-hook-4j8x0c1v"
CHAT = "discord://4174927641/canary-chat-9w2m5r7h"
SHOWN = "bank of the canaries"  # no secret: it must be found, or nobody looked


class Keeper:
    """One person who does everything, and remembers what was secret about it."""

    def __init__(self, bank, workspace) -> None:
        self.bank, self.workspace = bank, workspace
        self.user = User.objects.create_superuser("keeper", password=PASSWORD)
        Membership.objects.create(workspace=workspace, user=self.user, role="admin")
        self.secrets = {"password": PASSWORD, "mistyped password": MISTYPED}
        self.secrets |= {"SECRET_KEY": configured.SECRET_KEY}
        for number, key in enumerate(configured.CREDENTIAL_KEYS):
            self.secrets[f"encryption key {number}"] = key.partition(":")[2]
        self.answers: list[str] = []
        self.browser = Client(raise_request_exception=False)

    def ask(self, method: str, path: str, body=None, **headers: str):
        """Send a request with the keeper's token, and keep what came back."""
        answer = self.browser.generic(
            method,
            f"{V1}/{path}",
            json.dumps(body) if body is not None else "",
            "application/json",
            headers={"Authorization": f"Token {self.secrets['API token']}"} | headers,
        )
        self.keep(answer)
        return answer

    def keep(self, answer) -> None:
        self.answers.append(f"{answer.headers}\n{answer.getvalue().decode()}")

    def signs_in(self) -> None:
        told = {"username": "keeper", "password": MISTYPED}
        for password in (MISTYPED, PASSWORD):
            told["password"] = password
            self.keep(self.browser.post(LOGIN, told))
        self.secrets["TOTP secret"], codes = set_up(self.browser)
        raw = b32decode(self.secrets["TOTP secret"]).hex()
        self.secrets["TOTP secret in hex"] = raw
        self.secrets |= {f"recovery code {n}": code for n, code in enumerate(codes)}
        again = Client()
        again.post(LOGIN, told)
        self.keep(again.post(STEP, {"code": codes[0]}))
        wait()
        for password in (MISTYPED, PASSWORD):
            told = {"username": "keeper", "password": password, "code": codes[1]}
            made = self.browser.post(f"{V1}/auth/login/", told, "application/json")
        self.secrets["API token"] = made.json()["token"]

    def connects(self) -> Connection:
        given = dict(self.bank.credentials())
        self.note_credentials(given)
        body = {"provider": BANK, "label": SHOWN, "credentials": given}
        made = self.ask("POST", "connections/", body, **{"Idempotency-Key": "one"})
        assert made.status_code == 201, made.content
        row = Connection.objects.get(pk=made.json()["id"])
        for name in (f.name for f in providers.load(BANK).fields if f.required):
            wrong = {"credentials": {name: f"canary-typed-{name}-77ab"}}
            self.secrets[f"typed {name}"] = wrong["credentials"][name]
            self.ask("PATCH", f"connections/{row.pk}/", wrong)
            self.ask("POST", f"connections/{row.pk}/test/", {})
            self.ask("PATCH", f"connections/{row.pk}/", {"credentials": given})
        return row

    def note_credentials(self, given) -> None:
        secret = {f.name for f in providers.load(BANK).fields if f.secret}
        for name, value in given.items():
            if name in secret or "token" in name:
                self.secrets[f"{name} {len(self.secrets)}"] = value

    def syncs_through_failures(self, row: Connection) -> None:
        customer = self.bank.demo_world().name
        for fault in (None, "garbage", "5xx", "cut", "drop_before", "nan"):
            if fault:
                self.bank.fault(fault, times=2)
            self.ask("POST", f"connections/{row.pk}/sync/", {})
        self.bank.calm()
        for refreshing in ("well", "garbled"):
            self.bank.expire(customer)
            if refreshing == "garbled":
                self.bank.fault("garbage", path="*token", times=2)
            services.sync([Connection.objects.get(pk=row.pk)], "manual")
            self.note_credentials(Connection.objects.get(pk=row.pk).open_credentials())
        self.bank.calm()

    def consents(self, row: Connection) -> None:
        back = "http://127.0.0.1:8000/oauth/callback"
        url = services.start_authorization(row, self.user, redirect_uri=back)
        told = parse_qs(urlsplit(self.bank.consent(url)).query)
        self.secrets["OAuth code"] = told["code"][0]
        self.secrets["OAuth state"] = told["state"][0]
        for _ in ("once", "again, which is refused"):
            query = {"code": told["code"][0], "state": told["state"][0]}
            self.keep(self.browser.get(f"/oauth/{BANK}/callback", query))
        self.note_credentials(Connection.objects.get(pk=row.pk).open_credentials())

    def is_called_back(self, row: Connection) -> None:
        address = services.listen(row).url
        self.secrets["webhook address"] = address.rstrip("/").rsplit("/", 1)[1]
        path = urlsplit(address).path
        for body in ("{}", "[", '{"type": "x", "data": {"id": "y"}}'):
            self.keep(self.browser.post(path, body, "application/json"))
        self.keep(self.browser.get(path))
        strange = path.replace(self.secrets["webhook address"], "canary-guess-5f0e")
        self.keep(self.browser.post(strange, "{}", "application/json"))

    def signs_requests(self) -> None:
        key = {"Idempotency-Key": "key"}
        for _ in ("made", "repeated"):
            made = self.ask("POST", "signing-keys/", {"scopes": ["read"]}, **key)
            self.answers.pop()  # here, and nowhere else, it is shown
        self.secrets["signing secret"] = made.json()["secret"]
        pen = Pen(made.json()["id"], made.json()["secret"])
        self.keep(pen.ask("GET", f"{V1}/accounts/"))
        wrong = pen.headers("GET", f"http://testserver{V1}/rules/")
        self.keep(send("GET", f"{V1}/accounts/", b"", wrong))

    def is_told(self, row: Connection) -> None:
        wish = Preference.objects.create(
            workspace=self.workspace, user=self.user, kinds=["stale"]
        )
        events.add_channel(wish, "chat", "chat", CHAT)  # nobody outside is asked
        self.secrets["address of a chat"] = CHAT.rsplit("/", 1)[1]
        channel, secret = events.add_channel(wish, "webhook", "hook", HOOK)
        events.send_test(channel)
        events.deliver()
        self.secrets["secret of outgoing webhooks"] = secret
        self.secrets["address of a webhook"] = HOOK.rsplit("/", 1)[1]

    def looks_at_everything(self) -> None:
        for (method, route), row in MATRIX.items():
            if method == "get" and row.target is None:
                self.ask("GET", route)
        for noun in ("accounts", "connections", "sync-runs"):
            for found in self.ask("GET", f"{noun}/").json()["results"]:
                self.ask("GET", f"{noun}/{found['id']}/")


@pytest.fixture
def keeper(bank, workspace, settings) -> Keeper:
    settings.WEBHOOKS_TO_LOOPBACK = True
    return Keeper(bank, workspace)


def traces(keeper: Keeper, row: Connection) -> Iterator[str]:
    """Yield what a page of debugging shows of a failure deep within a provider."""
    keeper.bank.fault("garbage", times=None)
    asked = Connection.objects.get(pk=row.pk)
    with pytest.raises(ProviderError) as failed:
        calling.call(asked, lambda provider: provider.observe())
    told = ExceptionReporter(None, failed.type, failed.value, failed.tb)
    yield told.get_traceback_text()
    yield told.get_traceback_html()
    keeper.bank.calm()


@pytest.mark.django_db(transaction=True)
def test_secrets_stand_nowhere_but_sealed(keeper, valkey):
    with places.everything_logged() as log:
        keeper.signs_in()
        row = keeper.connects()
        keeper.syncs_through_failures(row)
        keeper.consents(row)
        keeper.is_called_back(row)
        keeper.signs_requests()
        keeper.is_told(row)
        keeper.looks_at_everything()
        shown = dict(places.pages(keeper.browser))

    everywhere = {
        "the log": log.getvalue(),
        "a dump of the database": places.dump(),
        "Valkey": places.stored(valkey),
        "answers": "\n".join(keeper.answers),
        **{f"page {address}": html for address, html in shown.items()},
        **{f"trace {n}": text for n, text in enumerate(traces(keeper, row))},
    }

    told = {
        where: places.found(text, keeper.secrets) for where, text in everywhere.items()
    }
    assert {where: sorted(names) for where, names in told.items() if names} == {}
    assert len(keeper.secrets) > 20
    for where in ("a dump of the database", "answers", "page /admin/"):
        assert SHOWN in everywhere[where]
    assert "Sync failed" in everywhere["the log"]
    assert everywhere["Valkey"]
