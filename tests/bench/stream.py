"""What a stream saves: `manage.py bench stream`.

At every institution that streams, somebody trades and pays all the time. One listener
holds the stream open, another asks over REST as often as it takes to be as fresh. Both
see every balance, and what each asks of the institution is counted in one run.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import mean, quantiles

import structlog
from rich.console import Console
from rich.table import Table

import providers
from providers.base import Observation, Provider
from providers.drivers import gates
from providers.drivers.blocking import Blocking
from providers.errors import ProviderError
from providers.wire import Call, Request, watched
from tests.proofs.streams import Arena, arenas, streaming

CONSOLE = Console()
MISSED = 30.0  # seconds after which a change that was not seen is given up


@dataclass
class Seen:
    """How fresh a listener was, and what that cost."""

    requests: int = 0
    delays: list[float] = field(default_factory=list)
    missed: int = 0

    @property
    def fresh(self) -> float:
        """Return the mean seconds until a change was known."""
        return mean(self.delays) if self.delays else float("inf")

    @property
    def p95(self) -> float:
        return quantiles(self.delays, n=20)[-1] if len(self.delays) > 1 else self.fresh


@dataclass
class Poller:
    """Asks for all balances, again and again, without the limits that it would break."""

    provider: Provider
    pause: float
    seen: Seen = field(default_factory=Seen)
    totals: dict[str, int | None] = field(default_factory=dict)
    next_at: float = 0.0
    driver: Blocking = field(default_factory=Blocking)

    def look(self) -> None:
        """Ask if it is time to."""
        if time.monotonic() < self.next_at:
            return
        self.next_at = time.monotonic() + self.pause
        try:
            found = self.driver.run(self.provider, self._counted())
        except ProviderError:
            return
        self.totals = {r.external_id: r.total for r in found.readings}

    def _counted(self) -> Call[Observation]:
        def count(_: Request) -> None:
            self.seen.requests += 1

        return watched(self.provider.observe(), count)


def main(argv: Sequence[str]) -> None:
    """Measure every institution that streams."""
    wishes = argparse.ArgumentParser(prog="manage.py bench stream", description=__doc__)
    wishes.add_argument("--seconds", type=float, default=120.0)
    wishes.add_argument("--every", type=float, default=2.0, help="seconds per change")
    wish = wishes.parse_args(argv)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    rows = []
    for slug in streaming():
        with arenas([slug], 1) as (arena,):
            streamed = by_stream(arena, wish.seconds, wish.every)
            polled = by_polling(arena, wish.seconds, wish.every, streamed)
        rows.append((slug, streamed, polled))
    show(rows, wish.seconds)


def by_stream(arena: Arena, seconds: float, every: float) -> Seen:
    """Return how fresh the stream was, and what it asked for meanwhile."""
    before = sum(session.report.requests for session in arena.sessions)
    seen = Seen()
    _follow(arena, seconds, every, seen, lambda: not arena.disagreements())
    after = sum(session.report.requests for session in arena.sessions)
    seen.requests = after - before
    return seen


def by_polling(arena: Arena, seconds: float, every: float, as_fresh_as: Seen) -> Seen:
    """Return what asking costs that is as fresh: the mean delay is half of the pause."""
    # Without limits: nobody could poll so often at the real one.
    adapter = type("Unlimited", (type(arena.sessions[0].provider),), {"limits": {}})
    told = arena.sessions[0].provider
    pause = max(0.05, 2 * as_fresh_as.fresh)
    poller = Poller(adapter(told.credentials, told.urls), pause)

    def agrees() -> bool:
        poller.look()
        held = arena.bank.balances()
        mine = [h.external_id for h in arena.bank.demo_world().holdings]
        return all(poller.totals.get(n, 0) == held[n] for n in mine if n in held)

    gates.configure(None)
    _follow(arena, seconds, every, poller.seen, agrees)
    return poller.seen


def _follow(
    arena: Arena,
    seconds: float,
    every: float,
    seen: Seen,
    agrees: Callable[[], bool],
) -> None:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        began = time.monotonic()
        arena.happen()
        while not agrees():
            if time.monotonic() > began + MISSED:
                seen.missed += 1
                break
            time.sleep(0.005)
        else:
            seen.delays.append(time.monotonic() - began)
        while time.monotonic() < began + every:
            agrees()
            time.sleep(0.01)


def show(rows: Sequence[tuple[str, Seen, Seen]], seconds: float) -> None:
    """Print what each way of listening costs."""
    table = Table(
        title=f"Balances kept true for {seconds:g} s, one change after another"
    )
    table.add_column("institution")
    for column in ("changes", "stream: s until known", "p95", "REST calls"):
        table.add_column(column, justify="right")
    for column in ("polling: s until known", "REST calls", "saved"):
        table.add_column(column, justify="right")
    for slug, streamed, polled in rows:
        saved = 1 - streamed.requests / max(1, polled.requests)
        table.add_row(
            providers.load(slug).name,
            str(len(streamed.delays)),
            f"{streamed.fresh:.3f}",
            f"{streamed.p95:.3f}",
            f"{streamed.requests}",
            f"{polled.fresh:.3f}",
            f"{polled.requests}",
            f"{saved:.1%}",
        )
        if streamed.missed or polled.missed:
            CONSOLE.print(f"{slug}: missed {streamed.missed}, {polled.missed}")
    CONSOLE.print(table)
