"""Whatever happens to frames, what a stream told ends as the books say: `prove streams`.

At every institution that streams, people trade and pay all the time while frames are
dropped, doubled, swapped, held up and garbled, and connections break off. Again and again
the disturbance ends, something happens once more, and what the stream told must become
what the institution's ledger says, to the last unit. It exits 1 if it ever does not.
"""

from __future__ import annotations

import argparse
import random
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from threading import Thread

import structlog
from rich.console import Console
from rich.table import Table

import providers
from providers.base import Reading
from providers.drivers import gates
from providers.drivers.streaming import Session
from providers.sandbox import registry, serve
from providers.sandbox.institution import Institution
from providers.streaming import Streams

CONSOLE = Console()
PATIENCE = 90.0  # seconds after a disturbance within which all has to agree
DISTURBANCES = {
    "frame_drop": {},
    "frame_duplicate": {},
    "frame_reorder": {},
    "frame_garbage": {},
    "frame_hang_up": {},
    "frame_freeze": {"seconds": 6.0},
}
OFTEN = {"frame_drop", "frame_duplicate", "frame_reorder"}


@dataclass
class Arena:
    """One institution, somebody who trades there, and who listens."""

    slug: str
    bank: Institution
    sessions: list[Session]
    rng: random.Random
    figures: list[dict[str, Reading]] = field(default_factory=list)
    struck: Counter[str] = field(default_factory=Counter)
    happened: int = 0
    agreed: int = 0
    slowest: float = 0.0
    wrong: list[str] = field(default_factory=list)

    def act(self) -> None:
        """Let something happen, mostly undisturbed."""
        if self.rng.random() < 0.3:
            action = self.rng.choice(sorted(DISTURBANCES))
            if action in OFTEN or self.rng.random() < 0.1:
                about = DISTURBANCES[action]
                self.bank.fault(action, skip=self.rng.randrange(3), **about)
        self.happen()

    def happen(self) -> None:
        self.happened += 1
        if any(session.covers(self.main) for session in self.sessions):
            amount = self.rng.randrange(1, 10**6)
            if self.rng.random() < 0.3:
                self.bank.pay(self.main, amount)
        self.bank.stir()

    @property
    def main(self) -> str:
        return self.bank.demo_world().account.external_id

    def listen(self) -> None:
        """Take in what was told since."""
        for session, figures in zip(self.sessions, self.figures, strict=True):
            news = session.take()
            if news.whole:
                figures.clear()
            figures.update(news.readings)

    def disagreements(self) -> list[str]:
        """Return where what was told is not what the books say."""
        self.listen()
        told: dict[str, int | None] = {}
        for figures in self.figures:
            told |= {name: reading.total for name, reading in figures.items()}
        held = self.bank.balances()
        mine = {h.external_id for h in self.bank.demo_world().holdings}
        return [
            f"{name}: told {told.get(name, 0)}, held {held[name]}"
            for name in sorted(mine & held.keys())
            if told.get(name, 0) != held[name]
        ]

    def settle(self) -> None:
        """End the disturbance, and wait until everything agrees."""
        self.struck.update(self.bank.frames.struck)
        self.bank.frames.struck.clear()
        self.bank.calm()
        began = time.monotonic()
        self.happen()
        while found := self.disagreements():
            if time.monotonic() > began + PATIENCE:
                self.wrong += found
                return
            time.sleep(0.05)
        self.agreed += 1
        self.slowest = max(self.slowest, time.monotonic() - began)


def streaming() -> list[str]:
    """Return every provider that streams and has a sandbox."""
    slugs = registry.slugs()
    return [s for s in slugs if issubclass(providers.load(s), Streams)]


@contextmanager
def arenas(slugs: Sequence[str], seed: int) -> Iterator[list[Arena]]:
    """Open the institutions, with somebody who listens to each."""
    gates.configure(None)
    with ExitStack() as stack:
        box = stack.enter_context(serve(*slugs))
        yield [stack.enter_context(_arena(box, slug, seed)) for slug in slugs]


@contextmanager
def _arena(box, slug: str, seed: int) -> Iterator[Arena]:
    customer = box[slug].demo_world()
    adapter = providers.load(slug)
    provider = adapter(customer.credentials, box.hosts(slug))
    sessions = [Session(provider, name) for name in provider.streams()]
    arena = Arena(slug, box[slug], sessions, random.Random(f"{seed}{slug}"))
    arena.figures = [{} for _ in sessions]
    threads = [Thread(target=session.run, daemon=True) for session in sessions]
    for thread in threads:
        thread.start()
    try:
        _wait_until_live(arena)
        yield arena
    finally:
        for session in sessions:
            session.stop()
        for thread in threads:
            thread.join(20)


def _wait_until_live(arena: Arena) -> None:
    ends = time.monotonic() + PATIENCE
    while not all(session.live for session in arena.sessions):
        if time.monotonic() > ends:
            reasons = [session.report.reason for session in arena.sessions]
            raise TimeoutError(f"{arena.slug} does not become live: {reasons}")
        time.sleep(0.05)


def disturb(found: Sequence[Arena], seconds: float, *, rest: float = 0.02) -> None:
    """Disturb all of them for about so many seconds, and compare again and again."""
    ends = time.monotonic() + seconds
    rng = found[0].rng
    while time.monotonic() < ends:
        until = min(ends, time.monotonic() + rng.uniform(2.0, 6.0))
        while time.monotonic() < until:
            for arena in found:
                arena.act()
                arena.listen()
            time.sleep(rest)
        for arena in found:
            arena.settle()


def main(argv: Sequence[str]) -> int:
    """Disturb every stream, and return 1 if anything was ever not as in the books."""
    wishes = argparse.ArgumentParser(
        prog="manage.py prove streams", description=__doc__
    )
    wishes.add_argument("--minutes", type=float, default=10.0)
    wishes.add_argument("--seed", type=int, default=random.randrange(10**6))
    wishes.add_argument("--only", nargs="*", choices=streaming())
    wish = wishes.parse_args(argv)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    CONSOLE.print(f"Seed {wish.seed}, {wish.minutes:g} minutes")
    with arenas(wish.only or streaming(), wish.seed) as found:
        disturb(found, wish.minutes * 60)
        show(found)
    return int(any(arena.wrong for arena in found))


def show(found: Sequence[Arena]) -> None:
    """Print what happened at each institution."""
    table = Table(title="Streams under disturbance")
    for column in ("institution", "events", "faults", "connections", "frames"):
        table.add_column(column)
    for column in ("agreed", "slowest s", "wrong"):
        table.add_column(column, justify="right")
    for arena in found:
        reports = [session.report for session in arena.sessions]
        table.add_row(
            arena.slug,
            f"{arena.happened:,}",
            f"{sum(arena.struck.values()):,}",
            str(sum(report.connections for report in reports)),
            f"{sum(report.frames for report in reports):,}",
            str(arena.agreed),
            f"{arena.slowest:.1f}",
            str(len(arena.wrong)),
        )
        for line in arena.wrong:
            CONSOLE.print(f"{arena.slug}: {line}")
    CONSOLE.print(table)
    struck = sum((arena.struck for arena in found), Counter[str]())
    CONSOLE.print(", ".join(f"{n} {k[6:]}" for k, n in sorted(struck.items())))
