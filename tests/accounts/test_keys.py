"""What people connect with: tokens they made themselves, and what each key may do."""

from __future__ import annotations

import pytest

import providers
from accounts import services
from accounts.models import Connection
from providers.base import DescribesKey
from providers.sandbox import registry
from providers.sandbox.inside import sender
from providers.wire import drive

pytestmark = pytest.mark.django_db

MADE_BY_PEOPLE = [
    slug
    for slug in registry.slugs()
    if "personal_token" in registry.load(slug).happenings
]
DESCRIBED = [
    slug for slug in registry.slugs() if issubclass(providers.load(slug), DescribesKey)
]


def synced(connection: Connection) -> Connection:
    services.sync([connection], "manual")
    connection.refresh_from_db()
    return connection


@pytest.mark.parametrize("sandbox", MADE_BY_PEOPLE, indirect=True)
def test_token_that_a_person_made_reads_at_once_and_only_a_person_replaces_it(
    bank, workspace
):
    name = bank.demo_world().name
    token = bank.do("personal_token", name=name)
    connection = services.connect(workspace, bank.slug, {"access_token": token})
    assert connection.next_sync_at is not None
    assert synced(connection).health == "ok"
    held = {a.external_id: a.balance.total for a in connection.accounts.open()}
    open_ones = [h for h in bank.demo_world().holdings if not h.closed]
    assert held == {h.external_id: bank.balance(h.external_id) for h in open_ones}

    bank.do("delete_personal_token", token=token)
    assert synced(connection).health == "reconnect_needed"
    assert "make a new one" in connection.error

    new = {"access_token": bank.do("personal_token", name=name)}
    services.update_credentials(connection, new)
    assert synced(connection).health == "ok"


@pytest.mark.parametrize("sandbox", DESCRIBED, indirect=True)
def test_test_of_a_connection_tells_what_its_key_may_do(bank, workspace):
    connection = services.connect(workspace, bank.slug, bank.credentials())
    adapter = providers.load(bank.slug)(bank.credentials())
    may = drive(adapter.permissions(), sender(adapter, bank))

    told = services.test_connection(connection)

    assert told.ok
    assert told.may_withdraw == may.withdraw
    for word in ("trade", "withdraw", "transfer"):
        assert (word in told.may) == bool(getattr(may, word))
    assert (services.MAY_WITHDRAW in told.warnings) == bool(may.withdraw)
    assert (services.MAY_TRADE in told.warnings) == bool(may.trade)
