from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils.timezone import now

from accounts import services
from accounts.models import Connection
from providers.errors import ProviderError

from .conftest import BANK

pytestmark = pytest.mark.django_db


def test_new_connection_is_due_at_once_and_its_secrets_are_sealed(person):
    customer, connection = person

    stored = Connection.objects.get(pk=connection.pk)
    assert stored.next_sync_at is not None
    assert stored.open_credentials() == dict(customer.credentials)


@pytest.mark.parametrize(
    ("slug", "change", "error"),
    [
        ("no-such-bank", {}, services.UnknownProvider),
        (BANK, {"pin": "1234"}, services.UnknownCredential),
        (BANK, {"client_id": ""}, services.CredentialsIncomplete),
        (BANK, {"client_id": "  "}, services.CredentialsIncomplete),
        (BANK, {"client_id": 5}, services.UnknownCredential),
    ],
)
def test_wrong_credentials_are_refused_by_name(workspace, bank, slug, change, error):
    given = dict(bank.credentials()) | change

    with pytest.raises(error) as caught:
        services.connect(workspace, slug, given)

    assert isinstance(caught.value, ProviderError)
    assert not Connection.objects.exists()


def test_some_credentials_are_replaced_and_the_others_stay(person):
    _, connection = person
    Connection.objects.update(health="reconnect_needed", next_sync_at=None)
    before = connection.open_credentials()

    services.update_credentials(connection, {"access_token": "fresh"})

    after = connection.open_credentials()
    assert after == before | {"access_token": "fresh"}
    assert (connection.health, connection.token_version) == ("new", 1)
    assert connection.next_sync_at is not None


def test_test_of_a_connection_says_what_it_may_do(person):
    found = services.test_connection(person[1])

    assert (found.ok, found.error) == (True, "")
    assert found.accounts == 3
    assert found.may == ["read", "move", "list_transactions"]
    assert found.warnings == []


def test_test_of_a_connection_that_fails_is_an_answer(person, bank):
    bank.fault("5xx", times=None)

    found = services.test_connection(person[1])

    assert (found.ok, found.accounts, found.error_code) == (False, 0, "unavailable")
    assert found.error


def test_call_that_is_refused_twice_calls_for_a_person(person, bank):
    bank.fault("refuse", times=None, status=401, body={"code": "unauthorized"})

    with pytest.raises(ProviderError):
        services.call(person[1], lambda provider: provider.observe())

    stored = Connection.objects.get()
    assert stored.health == "reconnect_needed"


def test_archived_connection_keeps_no_secret(person):
    person[1].archive()

    stored = Connection.objects.get()
    assert stored.open_credentials() == {}
    assert (stored.health, stored.next_sync_at) == ("archived", None)


def leave(connection, bank) -> None:
    """Let the bank tell twice, a minute apart, that there is no account any more."""
    empty = {"path": "/accounts", "status": 200, "body": {"accounts": []}}
    for _ in range(2):
        bank.fault("refuse", times=1, **empty)
        services.sync([connection], "manual")
        connection.accounts.update(missing_since=now() - timedelta(seconds=61))
    assert not connection.accounts.open().exists()


def test_joint_account_that_one_has_left_counts_where_it_is_still_seen(people, bank):
    (_, first), (_, second) = people(2, pots=1, joint=True)
    services.sync([first, second], "periodic")
    shared = set(second.accounts.filter(automates=False).values_list("external_id"))
    assert shared
    before = first.accounts.count()

    leave(first, bank)

    assert not second.accounts.filter(automates=False).exists()
    assert first.accounts.filter(automates=True).count() == before - len(shared)


def test_joint_account_that_one_has_left_counts_where_it_is_found_later(people, bank):
    (_, first), (_, second) = people(2, pots=1, joint=True)
    services.sync([first], "periodic")
    leave(first, bank)

    services.sync([second], "periodic")

    assert not second.accounts.filter(automates=False).exists()
    assert second.accounts.counted().count() == second.accounts.count()


def test_joint_account_is_automated_by_who_stays(people):
    (_, first), (_, second) = people(2, pots=1, joint=True)
    services.sync([first, second], "periodic")
    names = set(first.accounts.values_list("external_id", flat=True))
    shared = second.accounts.filter(external_id__in=names)
    assert shared.exists()
    assert not shared.filter(automates=True).exists()

    first.archive()

    assert not first.accounts.counted().exists()
    assert not second.accounts.filter(automates=False).exists()
