"""A soak: real workers, queue and database, everything breaking at once, one judge.

`python3 manage.py chaos --minutes 10` keeps paydays going while processes are killed and
stopped, servers restarted and emptied, connections left half-open, clocks moved, and
three of ten orders at the bank go wrong. Then it waits until all has settled and reads
the bank's own ledger. `--control` lets the usual pattern meet the same; it has to fail.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

import providers
from providers.base import MovesMoney
from providers.sandbox import registry
from providers.sandbox.ledger import Entry
from providers.sandbox.remote import Remote

CONSOLE = Console()
EVENT_EVERY = 4.0  # seconds
DRAIN_SECONDS = 180.0
CUSTOMERS = 10
LATENCY = 0.05  # seconds a bank takes to answer
# Together three orders of ten; each strikes what those before it let pass.
FAULTS: Sequence[tuple[str, float, dict[str, Any]]] = (
    ("drop_before", 0.06, {}),
    ("act_then_drop", 0.07, {}),
    ("act_then_500", 0.07, {}),
    ("late_apply", 0.05, {"seconds": 3}),
    ("refuse", 0.03, {}),
    ("429", 0.03, {"seconds": 1}),
    ("5xx", 0.03, {}),
)
LAG = 0.05  # of the reads show how it was two seconds ago


@dataclass
class Tally:
    """What was done, and what came of it."""

    events: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    runs: Counter[str] = field(default_factory=Counter)
    transfers: Counter[str] = field(default_factory=Counter)
    legs: int = 0
    doubled: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    mismatched: list[str] = field(default_factory=list)
    drain: float | None = None  # seconds; None: it did not settle in time
    log: Path | None = None  # kept if something went wrong

    @property
    def failed(self) -> bool:
        return self.drain is None or bool(
            self.doubled or self.missing or self.mismatched
        )


def find_bank(url: str) -> Remote:
    """Return the first sandbox that moves money."""
    movers = (s for s in registry.slugs() if issubclass(providers.load(s), MovesMoney))
    return Remote(url, next(movers))


def spoil(bank: Remote, method: str, seed: int) -> None:
    """Let three of ten orders go wrong, and some reads lag."""
    for number, (action, probability, more) in enumerate(FAULTS):
        bank.fault(
            action,
            match={"method": method},
            times=None,
            probability=probability,
            seed=seed + number,
            **more,
        )
    lagging = {"match": {"method": "GET"}, "probability": LAG, "seconds": 2}
    bank.fault("read_lag", times=None, **lagging)


def struck(bank: Remote) -> Counter[str]:
    """Return how often each fault has struck."""
    state = bank.ask("GET", "/state")["institutions"][bank.slug]
    return Counter(state["struck"])


def shuffled(names: Sequence[str], chance: random.Random) -> Iterator[str]:
    """Yield names for ever, each about as often, in random order."""
    while True:
        yield from chance.sample(names, len(names))


def disturb(
    events: dict[str, Callable[[], object]],
    seconds: float,
    tick: Callable[[], object],
    chance: random.Random,
) -> Counter[str]:
    """Let one event after the other happen, and time pass in between."""
    done, names = Counter[str](), shuffled(list(events), chance)
    until = time.monotonic() + seconds
    due = time.monotonic() + EVENT_EVERY / 2
    while (now := time.monotonic()) < until:
        if now >= due:
            name = next(names)
            events[name]()
            done[name] += 1
            CONSOLE.log(name)
            due = now + EVENT_EVERY * chance.uniform(0.5, 1.5)
        tick()
    return done


def drain(settled: Callable[[], bool], tick: Callable[[], object]) -> float | None:
    """Return the seconds until everything has settled; None if it does not."""
    begun = time.monotonic()
    while not settled():
        if time.monotonic() - begun > DRAIN_SECONDS:
            return None
        tick()
    return time.monotonic() - begun


def by_dedupe_id(movements: Sequence[Entry]) -> dict[str, list[Entry]]:
    found: dict[str, list[Entry]] = {}
    for entry in movements:
        if entry.dedupe_id and not entry.declined:
            found.setdefault(entry.dedupe_id, []).append(entry)
    return found


def show(tally: Tally, title: str) -> None:
    """Print what was done and what came of it."""
    table = Table("what happened", "times", title=title)
    for name, times in sorted(tally.events.items()):
        table.add_row(name, str(times))
    for name, times in sorted(tally.faults.items()):
        table.add_row(f"bank: {name}", str(times))
    CONSOLE.print(table)
    for name in ("runs", "transfers"):
        if found := getattr(tally, name):
            CONSOLE.print(f"{name:10} {dict(found)}")
    for name in ("doubled", "missing", "mismatched"):
        for said in getattr(tally, name)[:20]:
            CONSOLE.print(f"[red]{name}[/]: {said}", soft_wrap=True)
    if tally.log:
        CONSOLE.print(f"What the parts said is in {tally.log}")
    figures = [len(getattr(tally, n)) for n in ("doubled", "missing", "mismatched")]
    drained = f"{tally.drain:.0f} s" if tally.drain is not None else "never"
    CONSOLE.print(
        f"{tally.events.total()} events, {tally.faults.total()} faults at the bank,"
        f" {tally.legs} legs: doubled/missing/mismatched {'/'.join(map(str, figures))};"
        f" settled after {drained}",
        soft_wrap=True,
    )
