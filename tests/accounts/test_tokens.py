from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import connections as databases
from django.utils.timezone import now

from accounts import services
from accounts.models import Connection
from accounts.services import tokens
from providers.base import Tokens
from providers.errors import AuthenticationFailed, ProviderError

pytestmark = pytest.mark.django_db


def observe(connection: Connection):
    return services.call(connection, lambda provider: provider.observe())


def asked_for_tokens(bank) -> list:
    """Watch the requests for tokens from now on."""
    seen, speak = [], bank.answer

    def answer(asked):
        if asked.path.endswith("/token"):
            seen.append(asked)
        return speak(asked)

    bank.answer = answer
    return seen


def test_expired_token_is_renewed_once_and_the_call_is_made_again(person, bank):
    customer, connection = person
    old = connection.open_credentials()
    bank.expire(customer.name)
    seen = asked_for_tokens(bank)

    found = observe(connection)

    stored = Connection.objects.get(pk=connection.pk)
    new = stored.open_credentials()
    assert found.readings
    assert len(seen) == 1
    assert old["access_token"] != new["access_token"]
    assert old["refresh_token"] != new["refresh_token"]
    assert (stored.token_version, stored.refresh_lease_until) == (1, None)
    assert stored.token_expires_at > now()
    assert stored.external_user


def test_sync_renews_what_is_expired_and_goes_on(people, bank):
    everybody = people(3, pots=1)
    connections = [connection for _, connection in everybody]
    bank.expire(everybody[1][0].name)
    seen = asked_for_tokens(bank)

    runs = services.sync(connections, "periodic")

    assert [run.status for run in runs] == ["ok"] * 3
    assert len(seen) == 1
    services.sync(Connection.objects.all(), "periodic")
    assert len(seen) == 1


def test_token_that_ends_soon_is_renewed_before_it_is_rejected(person, bank):
    _, connection = person
    Connection.objects.update(token_expires_at=now() + timedelta(seconds=5))
    seen = asked_for_tokens(bank)

    [run] = services.sync(Connection.objects.all(), "periodic")

    assert (run.status, len(seen)) == ("ok", 1)
    connection.refresh_from_db()
    assert connection.token_expires_at > now() + timedelta(hours=1)


def test_new_tokens_are_committed_before_they_are_used(person, bank):
    customer, connection = person
    bank.expire(customer.name)
    speak, stored = bank.answer, []

    def answer(asked):
        bearer = asked.headers.get("authorization", "").partition(" ")[2]
        if bearer and bearer != expired:
            stored.append(bearer)
        return speak(asked)

    expired = connection.open_credentials()["access_token"]
    bank.answer = answer
    observe(connection)

    kept = Connection.objects.get(pk=connection.pk).open_credentials()
    assert set(stored) == {kept["access_token"]}


@pytest.mark.django_db(transaction=True)
def test_many_who_find_the_token_expired_send_one_refresh(person, bank):
    customer, connection = person
    bank.expire(customer.name)
    seen = asked_for_tokens(bank)

    def work(_):
        try:
            return len(observe(Connection.objects.get(pk=connection.pk)).readings)
        finally:
            databases.close_all()

    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(work, range(6)))

    assert len(seen) == 1
    assert len(set(found)) == 1
    stored = Connection.objects.get(pk=connection.pk)
    assert (stored.token_version, stored.health) == (1, "new")


def test_whoever_finds_a_newer_token_does_not_renew_it_again(person, bank):
    customer, connection = person
    sleeper = Connection.objects.get(pk=connection.pk)
    bank.expire(customer.name)
    observe(connection)
    seen = asked_for_tokens(bank)

    assert observe(sleeper).readings
    assert seen == []


def test_token_that_is_used_up_calls_for_a_person(person, bank):
    customer, connection = person
    bank.expire(customer.name)
    refresh_elsewhere(bank, connection)

    with pytest.raises(AuthenticationFailed):
        observe(connection)

    stored = Connection.objects.get(pk=connection.pk)
    assert (stored.health, stored.error_code) == (
        "reconnect_needed",
        "authentication_failed",
    )
    assert stored.refresh_lease_until is None
    [run] = services.sync([stored], "periodic")
    assert (run.status, run.error_code) == ("failed", "authentication_failed")


def refresh_elsewhere(bank, connection: Connection) -> None:
    """Let somebody else use the refresh token up, as after a lost answer."""
    provider = connection.adapter
    services.calling.blocking(connection.provider).run(provider, provider.refresh())


def test_refresh_whose_answer_is_lost_calls_for_a_person(person, bank):
    customer, connection = person
    bank.expire(customer.name)
    bank.fault("act_then_drop", path="*token", times=1)

    [run] = services.sync([connection], "periodic")

    assert run.status == "failed"
    stored = Connection.objects.get(pk=connection.pk)
    assert stored.health == "reconnect_needed"


def test_crash_between_the_answer_and_the_commit_calls_for_a_person(
    person, bank, monkeypatch
):
    customer, connection = person
    bank.expire(customer.name)

    def die(*_):
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(tokens, "store", die)
        with pytest.raises(SystemExit):
            observe(Connection.objects.get(pk=connection.pk))
    held = Connection.objects.get(pk=connection.pk)
    assert held.refresh_lease_until > now()

    Connection.objects.update(refresh_lease_until=now() - timedelta(seconds=1))
    services.sync(Connection.objects.all(), "periodic")

    assert Connection.objects.get(pk=connection.pk).health == "reconnect_needed"


def test_while_a_lease_is_held_nobody_else_asks(person, bank, monkeypatch):
    customer, connection = person
    monkeypatch.setattr(tokens, "PATIENCE", 0.3)
    bank.expire(customer.name)
    Connection.objects.update(refresh_lease_until=now() + timedelta(seconds=40))
    seen = asked_for_tokens(bank)

    [run] = services.sync(Connection.objects.all(), "periodic")

    assert (run.status, run.error_code, seen) == ("failed", "refresh_running", [])
    assert Connection.objects.get(pk=connection.pk).health == "failing"


def test_outage_during_a_refresh_loses_no_token(person, bank):
    customer, connection = person
    bank.expire(customer.name)
    bank.fault("drop_before", path="*token", times=None)

    with pytest.raises(ProviderError):
        observe(connection)

    stored = Connection.objects.get(pk=connection.pk)
    assert (stored.health, stored.refresh_lease_until) == ("new", None)
    bank.calm()
    assert observe(stored).readings


def test_tokens_a_person_gave_meanwhile_are_kept(person, bank, monkeypatch):
    customer, connection = person
    bank.expire(customer.name)
    store = tokens.store

    def slow_store(row, granted):
        given = dict(granted.credentials)
        services.update_credentials(Connection.objects.get(pk=row.pk), given)
        store(row, granted)

    monkeypatch.setattr(tokens, "store", slow_store)
    observe(connection)

    assert Connection.objects.get(pk=connection.pk).token_version == 1


def test_tokens_that_come_after_the_archive_leave_no_secret_behind(person, bank):
    customer, connection = person
    bank.expire(customer.name)
    granted = Tokens({"access_token": "late", "refresh_token": "late"}, 3600)
    Connection.objects.get(pk=connection.pk).archive()  # while the bank was asked

    tokens.store(connection, granted)
    tokens._release(connection, AuthenticationFailed())

    stored = Connection.objects.get(pk=connection.pk)
    assert (stored.open_credentials(), stored.health) == ({}, "archived")


def test_token_that_lasts_longer_than_time_itself_is_kept(person):
    _, connection = person

    tokens.store(connection, Tokens({"access_token": "new"}, 10**30))

    stored = Connection.objects.get(pk=connection.pk)
    assert stored.open_credentials()["access_token"] == "new"
    assert stored.token_expires_at > now() + timedelta(days=3650)


def test_token_evicted_by_another_client_calls_for_a_person(person, bank):
    _, connection = person
    services.sync([connection], "periodic")
    refresh_elsewhere(bank, Connection.objects.get(pk=connection.pk))

    [run] = services.sync([connection], "periodic")

    assert (run.status, run.error_code) == ("failed", "authentication_failed")
    assert Connection.objects.get(pk=connection.pk).health == "reconnect_needed"
