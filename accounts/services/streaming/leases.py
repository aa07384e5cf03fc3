"""Which process holds which stream: a lease that ends by itself when its process does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection as database

import providers
from accounts.models import Connection, Stream
from accounts.services.adapters import adapter_of
from accounts.services.statements import ask, write
from providers.base import Provider
from providers.drivers.rations import digest
from providers.errors import ProviderError
from providers.streaming import Streams


class Key(NamedTuple):
    """A stream of a connection."""

    connection: UUID
    stream: str


# In one order, so that two processes never wait for each other in a circle.
TAKE = """
INSERT INTO accounts_stream AS s
  (connection_id, name, state, reason, since, holder, lease_until, frames, connections,
   requests)
SELECT t.connection_id, t.name, 'connecting', '', now(), t.holder, now() + t.lease, 0, 0, 0
FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::interval[])
  AS t(connection_id, name, holder, lease) ORDER BY t.connection_id, t.name
ON CONFLICT (connection_id, name) DO UPDATE
  SET holder = excluded.holder, lease_until = excluded.lease_until
  WHERE s.holder = excluded.holder OR coalesce(s.lease_until, 'epoch') < now()
RETURNING s.connection_id, s.name
"""

# A process that has lost its lease meanwhile says nothing any more.
REPORT = """
UPDATE accounts_stream s SET
  since = CASE WHEN s.state = t.state THEN s.since ELSE now() END,
  state = t.state, reason = t.reason,
  lived_at = CASE WHEN t.state = 'live' THEN now() ELSE s.lived_at END,
  next_try_at = now() + t.next_in * interval '1 second',
  frames = s.frames + t.frames, connections = s.connections + t.connections,
  requests = s.requests + t.requests
FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::text[], %s::text[], %s::float8[],
            %s::bigint[], %s::bigint[], %s::bigint[])
  AS t(connection_id, name, holder, state, reason, next_in, frames, connections, requests)
WHERE s.connection_id = t.connection_id AND s.name = t.name AND s.holder = t.holder
"""

GIVE = """
UPDATE accounts_stream SET lease_until = NULL, state = 'off', since = now(),
  reason = 'Its process has ended', next_try_at = NULL
WHERE holder = %s AND lease_until IS NOT NULL
"""

# While streams tell everything, nobody asks but to check: the usual syncs wait.
# What stops being put off comes due by itself, at the latest when the last stretch ends.
PUT_OFF = """
UPDATE accounts_connection c SET next_sync_at = now() + %s
WHERE c.id = ANY(%s::uuid[]) AND c.archived_at IS NULL
AND c.accounts_listed_at > now() - %s AND c.next_sync_at < now() + %s
"""

DUE_NOW = """
UPDATE accounts_connection SET next_sync_at = now()
WHERE id = ANY(%s::uuid[]) AND archived_at IS NULL AND next_sync_at > now()
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A stream that should be open, and with what."""

    key: Key
    connection: Connection
    provider: Provider
    credentials: str  # what stands for them: it gives nothing away


def wanted() -> list[Wanted]:
    """Return every stream of every connection in use whose provider has any."""
    able = [s for s in providers.slugs() if issubclass(providers.load(s), Streams)]
    found = []
    for row in Connection.objects.in_use().filter(provider__in=able):
        try:
            provider = adapter_of(row)
            names = provider.streams() if isinstance(provider, Streams) else ()
        except ProviderError:
            continue  # its syncs say so
        told = digest(provider)
        found += [Wanted(Key(row.pk, name), row, provider, told) for name in names]
    return found


def take(keys: Iterable[Key], holder: str) -> set[Key]:
    """Take what nobody holds, keep what is held here; return what is ours now."""
    rows = [(*key, holder, Stream.LEASE) for key in sorted(keys)]
    if not rows:
        return set()
    return {Key(*found) for found in ask(TAKE, *zip(*rows, strict=True))}


def give_all(holder: str) -> None:
    """Give back whatever `holder` holds: another process may go on at once."""
    _run(GIVE, [holder])


def report(holder: str, rows: Iterable[tuple[Key, Sequence[Any]]]) -> None:
    """Write down how the streams of `holder` are."""
    write(REPORT, [(*key, holder, *about) for key, about in sorted(rows)])


def put_off(connections: Sequence[UUID], stretch: Any, check_every: Any) -> None:
    """Let the usual syncs of `connections` wait for `stretch`, unless a check is due."""
    if connections:
        _run(PUT_OFF, [stretch, list(connections), check_every, stretch])


def due_now(connections: Sequence[UUID]) -> None:
    """Let `connections` be synced over REST as soon as anybody can."""
    if connections:
        _run(DUE_NOW, [list(connections)])


def database_time() -> datetime:
    """Return the database's time."""
    with database.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        (found,) = cursor.fetchone()
        return found


def _run(statement: str, parameters: list[Any]) -> None:
    with database.cursor() as cursor:
        cursor.execute(statement, parameters)
