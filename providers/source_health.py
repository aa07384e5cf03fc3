"""How a source is: each host of a provider, by its last answers and its circuit.

healthy → degraded after three failures in a row, or while one answer in twenty takes more
than five seconds; failed while the circuit is not closed; after either, recovering until
three requests in a row went well.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import ceil
from time import time
from typing import Any, Final, Protocol

from .breaker import State, Verdict
from .store import Store, StoreAway

FEW: Final = 3  # in a row: failures that make a source ill, successes that heal it
SLOW: Final = 5_000  # milliseconds
KEPT: Final = 100  # answers whose times are remembered …
WINDOW: Final = 3_600  # … for so many seconds
ENOUGH: Final = 5  # answers that say something about all
LONGEST_RUN: Final = 1_000

LUA = """
local ok, failed, tail = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local reason, opened, times = ARGV[4], ARGV[5] == '1', ARGV[6]
local few, kept, longest = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local known = redis.call('HMGET', KEYS[1], 'run', 'ill', 'reason', 'times')
local run, ill = tonumber(known[1] or '0'), known[2] == '1'
if ok > 0 and failed > 0 then run = tail
elseif ok > 0 then run = math.max(run, 0) + ok
elseif failed > 0 then run = math.min(run, 0) - failed end
if opened then run = math.min(run, 0) end
run = math.max(-longest, math.min(run, longest))
ill = (ill or opened or run <= -few) and run < few
if reason == '' then reason = known[3] or '' end
local all = {}
for one in string.gmatch((known[4] or '') .. ' ' .. times, '%d+:%d+') do
  all[#all + 1] = one
end
local last = {}
for i = math.max(1, #all - kept + 1), #all do last[#last + 1] = all[i] end
redis.call('HSET', KEYS[1], 'run', run, 'ill', ill and '1' or '0',
  'reason', reason, 'times', table.concat(last, ' '))
redis.call('EXPIRE', KEYS[1], 604800)
return {run, ill and 1 or 0, reason}
"""


class Health(StrEnum):
    HEALTHY = "healthy"
    DEGRADED = "degraded"
    FAILED = "failed"
    RECOVERING = "recovering"


@dataclass(frozen=True, slots=True)
class Time:
    """How many milliseconds an answer took, and when it came (seconds since 1970)."""

    at: int
    took: int


@dataclass(frozen=True, slots=True)
class Seen:
    """What one process saw of a source since it last said so."""

    ok: int = 0
    failed: int = 0
    tail: int = 0  # requests in a row that ended alike: below zero, they failed
    reason: str = ""  # the category of the last failure
    times: Sequence[Time] = ()


@dataclass(frozen=True, slots=True)
class Record:
    """What all processes know: the requests in a row that ended alike, and an illness."""

    run: int = 0
    ill: bool = False
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Judgement:
    """How a source is; `p95` in milliseconds, `left` until somebody tries it again."""

    health: Health
    reason: str = ""
    p95: int | None = None
    left: int | None = None


class Tally:
    """Counts what one process sees."""

    def __init__(self) -> None:
        self.ok = self.failed = self.tail = 0
        self.reason = ""
        self.times: deque[Time] = deque(maxlen=KEPT)

    def add(self, ok: bool, seconds: float | None, kind: str) -> None:
        if ok:
            self.ok, self.tail = self.ok + 1, max(self.tail, 0) + 1
        else:
            self.failed, self.tail = self.failed + 1, min(self.tail, 0) - 1
            self.reason = kind
        if seconds is not None:
            self.times.append(Time(int(time()), int(seconds * 1000)))

    def seen(self) -> Seen:
        return Seen(self.ok, self.failed, self.tail, self.reason, tuple(self.times))


def after(record: Record, seen: Seen, *, opened: bool) -> Record:
    """Return what is known once `seen` is; `opened`: the circuit is open."""
    run = record.run
    if seen.ok and seen.failed:
        run = seen.tail
    elif seen.ok:
        run = max(run, 0) + seen.ok
    elif seen.failed:
        run = min(run, 0) - seen.failed
    if opened:
        run = min(run, 0)
    run = max(-LONGEST_RUN, min(run, LONGEST_RUN))
    ill = (record.ill or opened or run <= -FEW) and run < FEW
    return Record(run, ill, seen.reason or record.reason)


def judge(
    record: Record, verdict: Verdict, times: Sequence[Time], now: float
) -> Judgement:
    """Say how a source is, and why."""
    p95 = slowest_of_most([t.took for t in times if t.at > now - WINDOW])
    why = record.reason or "asked to be left alone"
    if verdict.state is not State.CLOSED:
        return Judgement(Health.FAILED, f"Left alone: {why}", p95, verdict.left)
    if record.run <= -FEW:
        words = f"{-record.run} failures in a row: {why}"
        return Judgement(Health.DEGRADED, words, p95)
    if record.ill:
        words = f"{max(record.run, 0)} of {FEW} successes after: {why}"
        return Judgement(Health.RECOVERING, words, p95)
    if p95 is not None and p95 > SLOW:
        words = f"One answer in twenty takes {p95 / 1000:.1f} s or more"
        return Judgement(Health.DEGRADED, words, p95)
    return Judgement(Health.HEALTHY, p95=p95)


def slowest_of_most(times: Sequence[int]) -> int | None:
    """Return the 95th percentile by nearest rank; None of too few."""
    if len(times) < ENOUGH:
        return None
    return sorted(times)[ceil(0.95 * len(times)) - 1]


class Records(Protocol):
    """Where it is kept how one source is."""

    def tell(self, seen: Seen, *, opened: bool) -> Record:
        """Add what one process saw, and return what is known then."""

    def read(self) -> tuple[Record, Sequence[Time]]:
        """Return what is known, and the times of the last answers."""


class LocalRecords:
    """Keeps for one process how a source is."""

    def __init__(self) -> None:
        self.record = Record()
        self.times: deque[Time] = deque(maxlen=KEPT)

    def tell(self, seen: Seen, *, opened: bool) -> Record:
        self.record = after(self.record, seen, opened=opened)
        self.times.extend(seen.times)
        return self.record

    def read(self) -> tuple[Record, Sequence[Time]]:
        return self.record, list(self.times)


class SharedRecords:
    """Keeps for all processes how a source is; for this one while the store is away."""

    def __init__(self, store: Store, name: str) -> None:
        self.store, self.key = store, f"health:{name}"
        self.fallback = LocalRecords()
        self._script: Callable[..., Any] = store.redis.register_script(LUA)

    def tell(self, seen: Seen, *, opened: bool) -> Record:
        try:
            return self.store.ask(lambda: self._tell(seen, opened))
        except StoreAway:
            return self.fallback.tell(seen, opened=opened)

    def read(self) -> tuple[Record, Sequence[Time]]:
        """Return what the store knows; raises StoreAway."""
        names = ["run", "ill", "reason", "times"]
        found: Any = self.store.ask(lambda: self.store.redis.hmget(self.key, names))
        run, ill, reason, times = ((value or b"").decode() for value in found)
        pairs = [pair.split(":") for pair in times.split()]
        return Record(int(run or 0), ill == "1", reason), [
            Time(int(at), int(took)) for at, took in pairs
        ]

    def _tell(self, seen: Seen, opened: bool) -> Record:
        times = " ".join(f"{t.at}:{t.took}" for t in seen.times)
        told = (seen.ok, seen.failed, seen.tail, seen.reason, int(opened), times)
        found = self._script(keys=[self.key], args=[*told, FEW, KEPT, LONGEST_RUN])
        run, ill, reason = found
        return Record(int(run), bool(ill), reason.decode())
