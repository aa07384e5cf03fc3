"""Which accounts there are is asked seldom; what they hold is asked every time."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils.timezone import now

from accounts import services
from accounts.models import Account, Balance, Connection, SyncRun
from accounts.services.reading import LIST_EVERY
from providers.drivers import configure

pytestmark = pytest.mark.django_db


@pytest.fixture
def listed(person):
    """A customer whose accounts were listed a moment ago, and read once more since."""
    customer, connection = person
    services.sync([connection], "manual")
    return customer, connection.pk


def periodic(pk, **changes) -> SyncRun:
    """Return the run of a periodic sync of a connection as it is stored now."""
    Connection.objects.filter(pk=pk).update(**changes)
    [run] = services.sync(Connection.objects.filter(pk=pk).to_sync(), "periodic")
    return run


def test_periodic_sync_does_not_ask_again_which_accounts_there_are(listed, bank):
    customer, pk = listed
    with_list = periodic(pk, accounts_listed_at=None).requests

    run = periodic(pk)

    assert (run.status, run.requests) == ("ok", with_list - 1)
    assert Balance.objects.get(account__name=customer.pots[0].name).fetched_at


def test_balances_are_as_true_without_the_list(listed, bank):
    customer, pk = listed
    bank.pay(customer.account.external_id, 12_34)
    bank.move(customer.account.external_id, customer.pots[0].external_id, 5_00)

    periodic(pk)

    held = dict(Balance.objects.values_list("account__external_id", "total"))
    assert held == {name: bank.balance(name) for name in held}


def test_names_stay_when_nobody_told_them_again(listed):
    _, pk = listed
    before = set(Account.objects.values_list("external_id", "name"))

    periodic(pk)

    assert set(Account.objects.values_list("external_id", "name")) == before
    assert not Account.objects.filter(name="").exists()


def test_accounts_are_listed_again_after_a_while(listed):
    _, pk = listed
    short = periodic(pk).requests

    run = periodic(pk, accounts_listed_at=now() - LIST_EVERY - timedelta(seconds=1))

    assert run.requests == short + 1
    assert Connection.objects.get(pk=pk).accounts_listed_at > now() - timedelta(
        minutes=1
    )


@pytest.mark.parametrize("kind", ["manual", "pre_automation", "emergency", "start_up"])
def test_whoever_waits_for_the_truth_gets_the_list_too(listed, kind):
    _, pk = listed
    with_list = periodic(pk, accounts_listed_at=None).requests

    [run] = services.sync(Connection.objects.filter(pk=pk), kind)

    # Their movements are read as well.
    assert run.requests == with_list + 1


@pytest.mark.parametrize("action", ["5xx", "garbage"])
def test_failure_makes_the_next_sync_list_them_again(listed, bank, action):
    _, pk = listed
    bank.fault(action, method="GET", times=None)
    assert periodic(pk).status == "failed"
    bank.calm()
    configure(None)  # the breaker has learnt from the fault

    assert Connection.objects.get(pk=pk).accounts_listed_at is None
    assert periodic(pk).status == "ok"
    assert Connection.objects.get(pk=pk).accounts_listed_at is not None
