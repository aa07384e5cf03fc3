from __future__ import annotations

import base64
import io
import logging
import secrets

import pytest
from django.db import connection as database

from accounts import services
from accounts.models import Connection
from accounts.sealing import CannotOpen

pytestmark = pytest.mark.django_db


def raw() -> bytes:
    with database.cursor() as cursor:
        cursor.execute("SELECT * FROM accounts_connection")
        return repr(
            [
                bytes(v) if isinstance(v, memoryview) else v
                for row in cursor.fetchall()
                for v in row
            ]
        ).encode()


def test_secrets_are_not_readable_in_the_database(person):
    for secret in person[1].open_credentials().values():
        assert secret.encode() not in raw()


def test_secrets_moved_to_another_row_cannot_be_opened(people):
    (_, one), (_, other) = people(2, pots=1)
    stolen = Connection.objects.values_list("credentials").get(pk=one.pk)[0]
    Connection.objects.filter(pk=other.pk).update(credentials=stolen.blob)

    with pytest.raises(CannotOpen):
        Connection.objects.get(pk=other.pk).open_credentials()


def test_no_secret_reaches_a_log_whatever_happens(person, bank):
    customer, connection = person
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.getLogger().handlers[0].formatter)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    canaries = set(connection.open_credentials().values())
    try:
        services.sync([connection], "manual")
        for fault in ("garbage", "5xx", "act_then_drop"):
            bank.fault(fault, times=3)
            services.sync([connection], "manual")
        bank.expire(customer.name)
        services.sync([connection], "manual")
        canaries |= set(Connection.objects.get().open_credentials().values())
        bank.expire(customer.name)
        bank.fault("garbage", path="*token", times=None)
        services.sync([connection], "manual")
        services.test_connection(connection)
    finally:
        root.removeHandler(handler)
        root.setLevel(level)

    said = stream.getvalue()
    assert "[SYNC] live balance" in said
    assert "Sync failed" in said
    hidden = {c for c in canaries if "token" not in c and len(c) > 12}
    assert hidden
    assert not [canary for canary in hidden if canary in said]
    stored = repr(list(services.sync([connection], "manual")[0].__dict__.values()))
    assert not [canary for canary in hidden if canary in stored]


def ring(settings, *names: str) -> None:
    for name in names:
        KEYS.setdefault(name, base64.b64encode(secrets.token_bytes(32)).decode())
    settings.CREDENTIAL_KEYS = [f"{name}:{KEYS[name]}" for name in names]


KEYS: dict[str, str] = {}


def test_rotation_seals_everything_with_the_newest_key(people, settings):
    ring(settings, "old")
    rows = [connection for _, connection in people(3, pots=1)]
    clear = {row.pk: row.open_credentials() for row in rows}
    ring(settings, "new", "old")

    first, second = services.rotate_keys(), services.rotate_keys()

    assert (first.sealed, first.current) == (3, 0)
    assert (second.sealed, second.current) == (0, 3)
    ring(settings, "new")
    stored = Connection.objects.all()
    assert {row.pk: row.open_credentials() for row in stored} == clear


def test_rotation_that_was_stopped_goes_on_where_it_was(people, settings):
    ring(settings, "first")
    rows = [connection for _, connection in people(3, pots=1)]
    ring(settings, "second", "first")
    half = Connection.objects.get(pk=rows[0].pk)
    half.credentials = half.open_credentials()
    half.save()

    assert services.rotate_keys().sealed == 2


def test_rotation_names_what_it_cannot_open_and_goes_on(people, settings):
    ring(settings, "lost")
    ((_, unreadable),) = people(1, pots=1)
    ring(settings, "kept")

    done = services.rotate_keys()

    assert done.unreadable == [unreadable.pk]
