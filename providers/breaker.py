"""A circuit breaker: a provider that fails too often is left alone for a while.

closed → open by a failure when many of the last requests failed; open → half-open after a time that
doubles; half-open lets exactly one probe through, whose outcome closes or opens again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from time import monotonic
from typing import Any, Protocol

from .store import Store, StoreAway

LUA = """
local now = tonumber(ARGV[1])
if now == 0 then
  local t = redis.call('TIME')
  now = t[1] * 1000 + math.floor(t[2] / 1000)
end
local ok, failed, hold = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local outcome, token, wants = ARGV[5], ARGV[6], ARGV[7] == '1'
local least, percent = tonumber(ARGV[8]), tonumber(ARGV[9])
local window, shortest = tonumber(ARGV[10]), tonumber(ARGV[11])
local longest, lease = tonumber(ARGV[12]), tonumber(ARGV[13])

local h, flat = {}, redis.call('HGETALL', KEYS[1])
for i = 1, #flat, 2 do h[flat[i]] = flat[i + 1] end
local state = h.state or 'closed'
local holder = h.holder or ''
local upto, probe = tonumber(h.upto or '0'), tonumber(h.probe or '0')
local closed, level = tonumber(h.closed or '-1'), tonumber(h.level or '0')

local good, bad, kept = 0, 0, {}
local function add(at, o, f)
  if at <= now - window then return end
  good, bad = good + o, bad + f
  local last = kept[#kept]
  if last and last[1] == at then
    last[2], last[3] = last[2] + o, last[3] + f
  else
    kept[#kept + 1] = {at, o, f}
  end
end
local function forget() good, bad, kept = 0, 0, {} end
local function trip(again)
  level = again and math.min(level + 1, 20) or 0
  state, upto = 'open', now + math.min(longest, shortest * 2 ^ level)
  forget()
end

for at, o, f in string.gmatch(h.history or '', '(%d+):(%d+):(%d+)') do
  add(tonumber(at), tonumber(o), tonumber(f))
end
if state == 'half_open' and holder == token and token ~= '' then
  if outcome == 'ok' then state, closed = 'closed', now; forget()
  elseif outcome == 'failed' then trip(true)
  elseif outcome == 'unused' then holder, probe = '', 0 end
end
if state == 'closed' then
  if ok + failed > 0 then add(now - now % 1000, ok, failed) end
  -- Successes grow old before the failures after them: only a failure opens a circuit.
  if failed > 0 and bad >= least and bad * 100 >= percent * (good + bad) then
    trip(closed >= 0 and now - closed <= longest)
  end
end
if hold > 0 then
  upto = math.max(state == 'open' and upto or 0, now + hold)
  state = 'open'
  forget()
end
if state == 'open' and now >= upto then state, holder, probe = 'half_open', '', 0 end
local mine = 0
if state == 'half_open' and wants and now >= probe then
  holder, probe, mine = token, now + lease, 1
end

local history = {}
for i, k in ipairs(kept) do history[i] = string.format('%.0f:%d:%d', k[1], k[2], k[3]) end
redis.call('HSET', KEYS[1], 'state', state, 'holder', holder,
  'upto', string.format('%.0f', upto), 'probe', string.format('%.0f', probe),
  'closed', string.format('%.0f', closed), 'level', level,
  'history', table.concat(history, ' '))
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', math.max(upto - now, 0) + 600000))
local left = 0
if state == 'open' then left = upto - now
elseif state == 'half_open' and mine == 0 then left = math.max(0, probe - now) end
return {state, left, mine, good, bad}
"""


class State(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """When a breaker opens and for how long; times in milliseconds."""

    failures: int = 5  # at least so many …
    percent: int = 50  # … and at least so large a part of the requests …
    window: int = 10_000  # … of the last so many milliseconds
    shortest: int = 2_000
    longest: int = 60_000
    lease: int = 20_000  # a probe not heard of for so long is lost

    def reached(self, ok: int, failed: int) -> bool:
        """Say whether so many of the recent requests failed that a circuit opens."""
        enough = failed >= self.failures
        return enough and failed * 100 >= self.percent * (ok + failed)

    def numbers(self) -> tuple[int, ...]:
        return (
            self.failures,
            self.percent,
            self.window,
            self.shortest,
            self.longest,
            self.lease,
        )


@dataclass(frozen=True, slots=True)
class Report:
    """What one process saw since it last said so, and whether it wants to send."""

    ok: int = 0
    failed: int = 0
    hold: int = 0  # milliseconds for which the provider asked to be left alone
    outcome: str = ""  # of this process's probe: ok, failed or unused
    token: str = ""  # who asks; a probe belongs to a token
    wants: bool = False  # take the probe if it is free
    kinds: Mapping[str, int] = field(
        default_factory=dict
    )  # of what failed, by category


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether requests may go. `left`: milliseconds until asking again makes sense."""

    state: State
    left: int = 0
    probe: bool = False  # this process may send exactly one request
    ok: int = 0
    failed: int = 0


class Breaker(Protocol):
    """Where the state of one provider's circuit is kept."""

    thresholds: Thresholds

    def exchange(self, report: Report) -> Verdict:
        """Add what one process saw, and return what may be sent now."""

    def reset(self) -> None:
        """Close the circuit, whatever happened before: a person knows better."""

    def failures(self) -> Mapping[str, int]:
        """Return how many requests failed so far, by category."""


def _milliseconds() -> int:
    return int(monotonic() * 1000)


@dataclass(slots=True)
class LocalBreaker:
    """A circuit that one process keeps for itself. The same rules as `LUA`, in Python."""

    thresholds: Thresholds = Thresholds()
    clock: Callable[[], int] = _milliseconds
    state: State = State.CLOSED
    holder: str = ""
    upto: int = 0
    probe: int = 0
    closed: int = -1
    level: int = 0
    history: list[tuple[int, int, int]] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)

    def exchange(self, report: Report) -> Verdict:
        now = self.clock()
        self.kinds.update(report.kinds)
        self.history = [h for h in self.history if h[0] > now - self.thresholds.window]
        self._hear_of_probe(report, now)
        self._count(report, now)
        if report.hold > 0:
            earlier = self.upto if self.state is State.OPEN else 0
            self.upto = max(earlier, now + report.hold)
            self.state, self.history = State.OPEN, []
        if self.state is State.OPEN and now >= self.upto:
            self.state, self.holder, self.probe = State.HALF_OPEN, "", 0
        return self._verdict(self._grant(report, now), now)

    def reset(self) -> None:
        self.state, self.history = State.CLOSED, []
        self.closed, self.level = -1, 0

    def failures(self) -> Mapping[str, int]:
        return dict(self.kinds)

    def _hear_of_probe(self, report: Report, now: int) -> None:
        mine = self.holder == report.token != ""
        if self.state is not State.HALF_OPEN or not mine:
            return
        if report.outcome == "ok":
            self.state, self.closed, self.history = State.CLOSED, now, []
        elif report.outcome == "failed":
            self._trip(now, again=True)
        elif report.outcome == "unused":
            self.holder, self.probe = "", 0

    def _count(self, report: Report, now: int) -> None:
        if self.state is not State.CLOSED:
            return
        if report.ok + report.failed:
            self.history.append((now - now % 1000, report.ok, report.failed))
        # Successes grow old before the failures after them: only a failure opens.
        if report.failed and self.thresholds.reached(*self._totals(now)):
            recently = self.closed >= 0 and now - self.closed <= self.thresholds.longest
            self._trip(now, again=recently)

    def _totals(self, now: int) -> tuple[int, int]:
        recent = [h for h in self.history if h[0] > now - self.thresholds.window]
        return sum(h[1] for h in recent), sum(h[2] for h in recent)

    def _trip(self, now: int, *, again: bool) -> None:
        self.level = min(self.level + 1, 20) if again else 0
        pause = min(self.thresholds.longest, self.thresholds.shortest * 2**self.level)
        self.state, self.upto, self.history = State.OPEN, now + pause, []

    def _grant(self, report: Report, now: int) -> bool:
        free = self.state is State.HALF_OPEN and now >= self.probe
        if free and report.wants:
            self.holder, self.probe = report.token, now + self.thresholds.lease
        return free and report.wants

    def _verdict(self, mine: bool, now: int) -> Verdict:
        left = 0
        if self.state is State.OPEN:
            left = self.upto - now
        elif self.state is State.HALF_OPEN and not mine:
            left = max(0, self.probe - now)
        return Verdict(self.state, left, mine, *self._totals(now))


class SharedBreaker:
    """A circuit that all processes share, on the store's clock; local while that is away."""

    def __init__(
        self, store: Store, name: str, thresholds: Thresholds | None = None
    ) -> None:
        self.store = store
        self.key, self.kinds = f"breaker:{name}", f"failures:{name}"
        self.thresholds = thresholds or Thresholds()
        self.fallback = LocalBreaker(self.thresholds)
        self._script = store.redis.register_script(LUA)

    def exchange(self, report: Report) -> Verdict:
        try:
            return self.store.ask(lambda: self._exchange(report))
        except StoreAway:
            return self.fallback.exchange(report)

    def reset(self) -> None:
        self.fallback.reset()
        self.store.ask(lambda: self.store.redis.delete(self.key))

    def failures(self) -> Mapping[str, int]:
        found: Any = self.store.ask(lambda: self.store.redis.hgetall(self.kinds))
        return {kind.decode(): int(count) for kind, count in found.items()}

    def _exchange(self, report: Report, now: int = 0) -> Verdict:
        seen = (now, report.ok, report.failed, report.hold)
        asked = (report.outcome, report.token, int(report.wants))
        found = self._script(
            keys=[self.key], args=[*seen, *asked, *self.thresholds.numbers()]
        )
        if report.kinds:
            with self.store.redis.pipeline(transaction=False) as counts:
                for kind, count in report.kinds.items():
                    counts.hincrby(self.kinds, kind, count)
                counts.execute()
        state, left, mine, ok, failed = found
        return Verdict(State(state.decode()), left, bool(mine), ok, failed)
