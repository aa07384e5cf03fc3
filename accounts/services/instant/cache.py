"""Where balances are kept for instant answers: one text per account in Redis or Valkey.

What is kept is a copy. The row is the truth, and may be asked at any time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from functools import cache, lru_cache
from typing import NamedTuple
from uuid import UUID, uuid4

from django.conf import settings
from django.utils.timezone import now
from redis.commands.core import Script

from accounts.instant.entry import mark, micros
from accounts.signals import cache_event
from providers.store import Store, StoreAway

KEPT = 3600  # seconds, renewed with every writing
ASKED = 30  # seconds within which a refresh that was asked for must begin
CLOCKS_DIFFER = timedelta(seconds=1)
RUNNING = 90  # seconds within which one that has begun ends: no task lives longer
PREFIX = "balsync:balance:"
ACCESS = "balsync:access"
LOOKUPS = "balsync:lookups"  # hits and misses of all processes

# A younger balance replaces an older one, never the other way round. What is as old as
# what is kept but says something else, or comes from another source, is no judge: the
# mark sends the next reader to the row. A mark gives way to what is younger than it.
WRITE = """
local ttl, nonce, count, kept = ARGV[1], ARGV[2], tonumber(ARGV[3]), 0
for i = 1, count do
  local key, new = KEYS[i], ARGV[i + 3]
  local old, put = redis.call('GET', key), new
  if old and old ~= new then
    local was, whose = string.match(old, '^(%d+)\\31([^\\31]*)')
    local is, who = string.match(new, '^(%d+)\\31([^\\31]*)')
    local gone, come = tonumber(was), tonumber(is)
    if who == '!' then
      put = (come > gone and is or was) .. '\\31!\\31' .. nonce
    elseif come <= gone then
      if whose == '!' or (come < gone and whose == who) then
        put = nil
      else
        put = was .. '\\31!\\31' .. nonce
      end
    end
  end
  if put then redis.call('SET', key, put, 'EX', ttl) else kept = kept + 1 end
end
for i = count + 1, #KEYS do redis.call('DEL', KEYS[i]) end
return kept
"""

# What was read from the row is kept if nothing was written or marked meanwhile.
FILL = """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
return 1
"""


class Seen(NamedTuple):
    """What was found at one look; `text` is empty where nothing is kept."""

    text: str
    updating: bool
    hinted_at: int  # µs since 1970, 0 for never
    access: bytes | None  # changes whenever somebody loses a right


@cache
def store() -> Store:
    """Return the one store of this process."""
    return Store(settings.CACHE_URL)


@cache
def _script(text: str) -> Script:
    return store().redis.register_script(text)


def _key(account: object) -> str:
    return f"{PREFIX}{account}"


def _lease(connection: object) -> str:
    return f"{PREFIX}refresh:{connection}"


def _hint(connection: object) -> str:
    return f"{PREFIX}hint:{connection}"


@lru_cache(maxsize=20_000)
def _keys(account: UUID, connection: str) -> list[str]:
    return [_key(account), _lease(connection), _hint(connection), ACCESS]


def look(account: UUID, connection: str) -> Seen:
    """Return all that is kept about an account, in one round trip; raises StoreAway.

    An empty `connection` finds the text alone.
    """
    keys = _keys(account, connection)
    text, lease, hint, access = store().ask(lambda: store().redis.mget(keys))
    return Seen(
        text.decode() if text else "", lease is not None, int(hint or 0), access
    )


def write(
    texts: Mapping[UUID, str],
    marked: Iterable[UUID] = (),
    *,
    ended: Iterable[UUID] = (),
    at: int | None = None,
) -> None:
    """Keep `texts` by account, mark others, and end refreshes of the `ended` connections.

    What is marked stays so until something comes that is younger than `at`, in µs since
    1970: a sync that asked before, and speaks late, knows nothing of what was marked.
    One round trip. A store that is away keeps nothing: readers then ask the row.
    """
    nonce = uuid4().hex
    until = micros(now() + CLOCKS_DIFFER) if at is None else at
    keys = [PREFIX + str(account) for account in texts]
    values = list(texts.values())
    for account in marked:
        keys.append(_key(account))
        values.append(mark(nonce, until))
    count = len(keys)
    keys += map(_lease, ended)
    try:
        store().ask(lambda: _script(WRITE)(keys, [KEPT, nonce, count, *values]))
    except StoreAway:
        cache_event.send(sender=None, kind="away", accounts=())
        return
    if marked:
        cache_event.send(sender=None, kind="marked", accounts=tuple(marked))
    if texts:
        cache_event.send(sender=None, kind="written", accounts=texts.keys())


def fill(account: UUID, seen: str, text: str) -> bool:
    """Keep what was read from the row after `seen`, unless somebody was faster."""
    try:
        done = store().ask(lambda: _script(FILL)([_key(account)], [seen, text, KEPT]))
    except StoreAway:
        return False
    return bool(done)


def begin_refresh(connection: object) -> bool:
    """Take the lease of a refresh; False where another has it. Raises StoreAway.

    It ends by itself: a refresh that died is not said to be under way for ever.
    """
    lease = _lease(connection)
    return bool(
        store().ask(lambda: store().redis.set(lease, "asked", nx=True, ex=ASKED))
    )


def note_asked(connection: object) -> None:
    """Say that a refresh is asked for; one that runs keeps its longer lease."""
    _quietly(lambda: store().redis.set(_lease(connection), "asked", nx=True, ex=ASKED))


def note_running(connection: object) -> None:
    """Say that a refresh has begun."""
    _quietly(lambda: store().redis.set(_lease(connection), "running", ex=RUNNING))


def end_refresh(connection: object) -> None:
    """Say that no refresh is under way."""
    _quietly(lambda: store().redis.delete(_lease(connection)))


def note_hint(connection: object, at: int) -> None:
    """Say that what was read before `at`, in µs since 1970, is out of date."""
    _quietly(lambda: store().redis.set(_hint(connection), at, ex=KEPT))


def revoke_access() -> None:
    """Let every process forget who may read what, before it answers anything more."""
    _quietly(lambda: store().redis.set(ACCESS, uuid4().hex))


def add_lookups(hits: int, misses: int) -> None:
    """Add to what all processes have counted; raises StoreAway."""
    if not hits and not misses:
        return

    def add() -> None:
        pipe = store().redis.pipeline(transaction=False)
        pipe.hincrby(LOOKUPS, "hits", hits)
        pipe.hincrby(LOOKUPS, "misses", misses)
        pipe.execute()

    store().ask(add)


def lookups() -> tuple[int, int]:
    """Return the hits and misses that all processes have counted; raises StoreAway."""
    hits, misses = store().ask(lambda: store().redis.hmget(LOOKUPS, "hits", "misses"))
    return int(hits or 0), int(misses or 0)


def _quietly(question) -> None:
    try:
        store().ask(question)
    except StoreAway:
        cache_event.send(sender=None, kind="away", accounts=())
