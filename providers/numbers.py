"""One request at a time for one set of credentials, numbered: also between processes.

A provider that wants growing nonces refuses a request that is overtaken by a later one,
so the turn and the number are handed out together and kept until the answer is there.
"""

from __future__ import annotations

from secrets import token_hex
from time import time_ns
from typing import NamedTuple

from .store import Store, StoreAway

# Lua counts in doubles: microseconds fit for 200 years, nanoseconds never did.
TAKE = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
  return {0, '0'}
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
local last = tonumber(redis.call('GET', KEYS[2]) or '0')
local number = string.format('%.0f', math.max(tonumber(ARGV[3]), last + 1))
redis.call('SET', KEYS[2], number, 'EX', 604800)
return {1, number}
"""
GIVE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 0
"""


class Taken(NamedTuple):
    """Whether the turn is ours, and its nonce; None where nobody else can be asked."""

    mine: bool
    nonce: int | None = None


class Numbers:
    """The turns and nonces of one set of credentials."""

    def __init__(self, store: Store, name: str) -> None:
        self.store = store
        self.keys = [f"turn:{name}", f"nonce:{name}"]
        self.token = token_hex(8)
        self._take = store.redis.register_script(TAKE)
        self._give = store.redis.register_script(GIVE)

    def take(self, lasts: float) -> Taken:
        """Take the turn for `lasts` seconds, with a nonce above all earlier ones.

        The nonce is in nanoseconds, near the time. While the store is away everybody
        goes ahead alone: the provider may then refuse what came out of order.
        """
        about = self.token, max(1, int(lasts * 1000)), time_ns() // 1000
        try:
            mine, number = self.store.ask(
                lambda: self._take(keys=self.keys, args=about)
            )
        except StoreAway:
            return Taken(mine=True)
        return Taken(True, int(number) * 1000) if mine else Taken(mine=False)

    def give(self) -> None:
        """Give the turn back; while the store is away it ends by itself."""
        try:
            self.store.ask(lambda: self._give(keys=self.keys[:1], args=[self.token]))
        except StoreAway:
            return
