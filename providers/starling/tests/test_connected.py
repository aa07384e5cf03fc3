"""A personal token and a signed webhook, from the bank to what balsync keeps."""

from __future__ import annotations

import json
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from django.test import Client

from accounts import behind, services
from accounts.models import Connection, WebhookInbox, Workspace
from providers.sandbox import serve
from tests.conftest import valkey

__all__ = ["valkey"]
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("valkey")]


@pytest.fixture
def bank(settings):
    with serve("starling") as box:
        settings.PROVIDER_URLS = box.urls()
        box["starling"].demo_world()
        yield box["starling"]


@pytest.fixture
def connect(bank):
    home = Workspace.objects.create(name="home")
    return lambda **given: services.connect(home, "starling", given)


def synced(connection: Connection) -> Connection:
    services.sync([connection], "manual")
    connection.refresh_from_db()
    return connection


def test_personal_token_reads_at_once_and_only_a_person_replaces_it(bank, connect):
    token = bank.personal_token("alex")
    connection = connect(access_token=token)
    assert connection.next_sync_at is not None
    assert synced(connection).health == "ok"
    held = {a.external_id: a.balance.total for a in connection.accounts.open()}
    assert held == {id: bank.balance(id) for id in held}
    assert len(held) == 9

    bank.delete_personal_token(token)
    assert synced(connection).health == "reconnect_needed"
    assert "make a new one" in connection.error

    new = {"access_token": bank.personal_token("alex")}
    services.update_credentials(connection, new)
    assert synced(connection).health == "ok"


def test_token_that_may_pay_others_is_warned_of(bank, connect):
    scopes = [*bank.ledger.topic("grants").popitem()[1]["scopes"], "pay-local:create"]
    connection = connect(access_token=bank.personal_token("alex", scopes))

    told = services.test_connection(connection)

    assert told.ok
    assert told.may_withdraw
    assert told.may == ["read", "move", "list_transactions", "withdraw", "transfer"]


def test_webhook_is_believed_by_its_signature_and_counted_once(
    bank, connect, monkeypatch
):
    monkeypatch.setattr(behind, "_submit", lambda work, args: work(*args))
    given = {"access_token": bank.personal_token("alex")}
    connection = synced(connect(**given, webhook_public_key=bank.public_key()))
    opened = services.listen(connection)
    assert "developer portal" in opened.where
    bank.do("withhold_webhooks")  # nobody answers at that address here
    bank.hook(url=opened.url)
    bank.pay(bank.demo_world().account.external_id, 12_00)
    (event,) = bank.withheld
    forged = replace(event, body=event.body.replace(b"1200", b"9900"))
    assert forged.body != event.body

    answers = [deliver(callback) for callback in [event] * 5 + [forged]]

    assert [status < 300 for status in answers] == [True] * 5 + [False]
    (noted,) = WebhookInbox.objects.all()
    assert noted.event_id == json.loads(event.body)["webhookEventUid"]
    assert noted.deliveries == 5


def deliver(callback) -> int:
    """Post an event as the bank does, and return the status of the answer."""
    path = urlsplit(callback.url).path
    kind, headers = "application/json", dict(callback.headers)
    answer = Client().post(path, callback.body, content_type=kind, headers=headers)
    return answer.status_code
