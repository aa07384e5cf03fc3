"""Wallets and inboxes at the institutions themselves: asked over the API, and told of."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from django.db import connections

import providers
from accounts import services
from accounts.models import (
    Account,
    Connection,
    SnapshotKey,
    SyncRun,
    WebhookInbox,
    Workspace,
)
from providers.base import MovesMoney
from providers.drivers import gates
from providers.sandbox import registry, serve
from providers.sandbox.institution import Customer, Institution
from providers.streaming import Streams
from tests.fixtures_api import V1, member

PATIENCE = 30.0  # seconds, only ever waited for what does not come
WALLETS = [
    slug
    for slug in registry.slugs()
    if not issubclass(providers.load(slug), MovesMoney | Streams)
]
CALLING = [s for s in registry.slugs() if "hook" in registry.load(s).happenings]


@dataclass
class Desk:
    """One customer of one institution, connected."""

    bank: Institution
    customer: Customer
    connection: Connection

    @property
    def account(self) -> Account:
        return Account.objects.get(external_id=self.customer.account.external_id)

    def pay(self, amount: int) -> None:
        self.bank.pay(self.customer.account.external_id, amount)

    def agree(self) -> bool:
        """Say whether the balance is what the institution holds."""
        held = self.bank.balance(self.customer.account.external_id)
        return self.account.balance.total == held


@pytest.fixture
def desk(request, settings, transactional_db) -> Iterator[Desk]:
    slug: str = request.param
    gates.configure(None)
    with serve(slug) as box:
        settings.PROVIDER_URLS = box.urls()
        home = Workspace.objects.create(name="home")
        customer = box[slug].demo_world()
        connection = services.connect(home, slug, customer.credentials)
        services.sync([connection], SyncRun.Kind.START_UP)
        yield Desk(box[slug], customer, connection)
    connections.close_all()


def until(holds: Callable[[], object]) -> None:
    ends = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.05)


@pytest.mark.parametrize("desk", WALLETS, indirect=True)
def test_wallet_is_read_once_per_key_and_names_the_provider_s_balance(desk):
    operator = member("operator", (desk.connection.workspace, "operator"))
    url = f"{V1}/wallets/{desk.account.pk}"
    desk.pay(10**6)

    first = operator.post(f"{url}/sync-balance", {"idempotency_key": "one"})
    again = operator.post(f"{url}/sync-balance", {"idempotency_key": "one"})

    assert (first.status_code, again.status_code) == (200, 200), first.json()
    assert first.json() == again.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    assert operator.get(f"{url}/balance").json() == first.json()
    told = first.json()
    unit = desk.account.unit
    held = desk.bank.balance(desk.customer.account.external_id)
    assert (told["balance"], told["currency"]) == (unit.major(held), unit.code)
    names = SnapshotKey.objects.filter(scope="provider", account=desk.account)
    newest = names.order_by("-as_of").values_list("key", flat=True).first()
    assert told["external_balance_id"] == newest


@pytest.mark.parametrize("desk", CALLING, indirect=True)
def test_institution_calls_and_the_balance_follows(desk, live_server, settings):
    settings.BALSYNC_PUBLIC_URL = live_server.url
    opened = services.listen(desk.connection)
    assert opened.where
    desk.bank.do("hook", url=opened.url)

    desk.pay(12_345)
    until(lambda: WebhookInbox.objects.exclude(fetched_at=None).exists())
    assert desk.agree()

    # The same event five times more counts once, and a forged one not at all.
    (event,) = WebhookInbox.objects.all()
    runs = SyncRun.objects.filter(kind="webhook").count()
    desk.bank.do("resend_webhook", times=5)
    desk.bank.do("forge_webhook")
    until(lambda: WebhookInbox.objects.get(pk=event.pk).deliveries == 6)
    assert SyncRun.objects.filter(kind="webhook").count() == runs

    # What comes late is read about as well.
    desk.bank.do("withhold_webhooks")
    desk.pay(54_321)
    desk.bank.do("withhold_webhooks", on=False)
    until(lambda: WebhookInbox.objects.exclude(fetched_at=None).count() == 2)
    assert desk.agree()
    assert WebhookInbox.objects.count() == 2


@pytest.mark.parametrize("desk", CALLING, indirect=True)
def test_what_no_webhook_told_is_found_by_the_next_sync(desk):
    desk.pay(777)

    services.sync([desk.connection], SyncRun.Kind.PERIODIC)

    assert desk.agree()
    assert not WebhookInbox.objects.exists()
