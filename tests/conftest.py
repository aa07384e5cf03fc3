"""What every test may use. The fixtures of an application live beside its tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis
from django.conf import settings


@pytest.fixture
def valkey() -> Iterator[redis.Redis]:
    """The Valkey of the tests, emptied before and after."""
    client = redis.Redis.from_url(settings.REDIS_URL)
    client.flushdb()
    yield client
    client.flushdb()
    client.close()
