"""Every institution that streams, somebody connected to it, and who holds the stream."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

import providers
from accounts import services
from accounts.models import Account, Connection, Workspace
from accounts.services.streaming import Supervisor
from providers.drivers import gates
from providers.sandbox import registry, serve
from providers.sandbox.institution import Customer, Institution
from providers.streaming import Streams

PATIENCE = 60.0  # seconds, only ever waited for what does not come
STREAMING = [s for s in registry.slugs() if issubclass(providers.load(s), Streams)]


@dataclass
class Desk:
    """One customer of one institution, connected."""

    bank: Institution
    customer: Customer
    connection: Connection
    supervisor: Supervisor

    @property
    def account(self) -> Account:
        return Account.objects.get(external_id=self.customer.account.external_id)

    def until(self, holds: Callable[[], object], supervisor=None) -> object:
        """Let the supervisor work until something holds; return what that is."""
        ends = time.monotonic() + PATIENCE
        while not (found := holds()):
            assert time.monotonic() < ends, self.told()
            (supervisor or self.supervisor).step()
            time.sleep(0.02)
        return found

    def told(self) -> list[object]:
        """Return how the streams are, for whoever waited in vain."""
        return [held.session.report for held in self.supervisor.held.values()]

    def shown(self) -> int:
        """Return what we believe the main account holds."""
        return int(self.account.balance.total)

    def held(self) -> int:
        """Return what it really holds."""
        return self.bank.balance(self.customer.account.external_id)

    def live(self) -> None:
        """Wait until the streams are live and everything is known."""
        self.until(lambda: states(self) == {"live"})


def states(desk: Desk) -> set[str]:
    """Return how the streams are: by their threads, and as it is written down."""
    told = {str(held.session.report.state) for held in desk.supervisor.held.values()}
    return told | set(desk.connection.streams.values_list("state", flat=True))


def stands_by_balances(slug: str) -> bool:
    """Say whether a provider's one stream tells balances, and not only when to look."""
    customer = registry.create(slug).demo_world()
    provider = providers.load(slug)(customer.credentials)
    first, *others = provider.streams()
    return not others and provider.feed(first).covers(customer.account.external_id)


@pytest.fixture
def slug(request) -> str:
    """One institution whose stream tells balances, unless a test wants another."""
    wanted = getattr(request, "param", None)
    return wanted or next(filter(stands_by_balances, STREAMING))


@pytest.fixture
def desk(slug, settings, transactional_db) -> Iterator[Desk]:
    gates.configure(settings.REDIS_URL)
    with serve(slug) as box:
        settings.PROVIDER_URLS = box.urls()
        workspace = Workspace.objects.create(name="home")
        customer = box[slug].demo_world()
        connection = services.connect(workspace, slug, customer.credentials)
        services.sync([connection], "manual")
        supervisor = Supervisor("ours")
        yield Desk(box[slug], customer, connection, supervisor)
        supervisor.stop()
        supervisor._end()
    gates.configure(None)
