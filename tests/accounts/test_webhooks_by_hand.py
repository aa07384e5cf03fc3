"""Providers whose webhooks a person types in: who is believed, and how often one counts."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

import providers
from accounts import behind, services
from accounts.models import WebhookInbox
from accounts.services.webhooks import digest
from providers.base import RegistersWebhooks, SendsWebhooks
from providers.sandbox import registry

pytestmark = pytest.mark.django_db

BY_HAND = [
    slug
    for slug in registry.slugs()
    if issubclass(providers.load(slug), SendsWebhooks)
    and not issubclass(providers.load(slug), RegistersWebhooks)
]


@pytest.fixture(params=BY_HAND)
def bank(request):
    """A provider that nobody serves: what it sends is carried by the test."""
    return registry.create(request.param)


@pytest.fixture
def connection(bank, workspace):
    return services.connect(workspace, bank.slug, bank.credentials())


def test_address_is_told_with_the_place_for_it(connection):
    opened = services.listen(connection)

    secret = opened.url.rstrip("/").rpartition("/")[2]
    connection.refresh_from_db()
    assert opened.where
    assert connection.webhook_digest == digest(secret)
    with pytest.raises(services.NoWebhooks):
        services.hooks(connection)
    services.stop_listening(connection)
    connection.refresh_from_db()
    assert connection.webhook_digest is None


@pytest.fixture
def deliver(client, monkeypatch):
    """Post an event as the provider does, and return the status of the answer."""
    monkeypatch.setattr(behind, "_submit", lambda work, args: work(*args))

    def deliver(callback):
        path, headers = urlsplit(callback.url).path, dict(callback.headers)
        kind = "application/json"
        return client.post(path, callback.body, kind, headers=headers).status_code

    return deliver


def test_webhook_is_believed_by_its_proof_and_counted_once(bank, connection, deliver):
    bank.do("hook", url=services.listen(connection).url)
    bank.do("withhold_webhooks")
    bank.pay(bank.demo_world().account.external_id, 12_00)
    assert not bank.outbox
    bank.do("withhold_webhooks", on=False)
    bank.do("resend_webhook", times=4)
    bank.do("forge_webhook")

    assert [deliver(callback) for callback in bank.outbox] == [200] * 5 + [401]

    event = bank.outbox[0]
    headers = {name.lower(): said for name, said in event.headers.items()}
    (noted,) = WebhookInbox.objects.all()
    assert noted.event_id == connection.adapter.hint(headers, event.body).event_id
    assert noted.deliveries == 5
