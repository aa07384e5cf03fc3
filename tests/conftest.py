"""What every test may use. The fixtures of an application live beside its tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis
from django.conf import settings
from django.db.backends.postgresql.operations import DatabaseOperations


@pytest.fixture
def valkey() -> Iterator[redis.Redis]:
    """The Valkey of the tests, emptied before and after."""
    client = redis.Redis.from_url(settings.REDIS_URL)
    client.flushdb()
    yield client
    client.flushdb()
    client.close()


@pytest.fixture(scope="session", autouse=True)
def emptied_between_tests() -> Iterator[None]:
    """Let the tests' own flush pass the guards of append-only tables."""
    original = DatabaseOperations.execute_sql_flush

    def flush(self, statements):
        original(self, ["SET LOCAL balsync.retention = 'on'", *statements])

    DatabaseOperations.execute_sql_flush = flush
    yield
    DatabaseOperations.execute_sql_flush = original
