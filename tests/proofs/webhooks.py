"""No forged call is believed, each true event counts once: `manage.py prove webhooks`.

At every provider that calls, events of its own sandbox are changed by chance and sent to
the real application: bits of body, proof and headers, proofs of others, other addresses,
bodies beyond every limit, packed ones. In between true events come 50 times at once. It
exits 1 if a forgery was believed, if anything was answered that is not documented, or if
an event had not exactly one effect.
"""

from __future__ import annotations

import argparse
import logging
import random
import time
from collections.abc import Sequence
from threading import current_thread, main_thread

from django.core.management import call_command
from rich.console import Console
from rich.table import Table

from tests.forged.calls import Answer, Call, Knock
from tests.forged.findings import BELIEVED, FORGED, VOUCHED, Found
from tests.forged.storm import AT_ONCE, opened

CONSOLE = Console(width=120)
SHOWN = 20  # violations


def main(argv: Sequence[str]) -> int:
    """Change, send and judge; print what came of it, and return 1 on a violation."""
    wishes = argparse.ArgumentParser(
        prog="manage.py prove webhooks", description=__doc__
    )
    wishes.add_argument("--mutations", type=int, default=100_000)
    wishes.add_argument("--seed", type=int, default=random.randrange(10**6))
    wish = wishes.parse_args(argv)
    call_command("migrate", verbosity=0)
    CONSOLE.print(f"Seed {wish.seed}, {wish.mutations:,} mutations")
    times, begun = Times(), time.monotonic()
    logging.disable()
    try:
        with opened(wish.seed, times.around) as storm:
            found = storm.blow(wish.mutations, tell=log)
    finally:
        logging.disable(logging.NOTSET)
    show(found)
    times.show(time.monotonic() - begun)
    return int(bool(found.wrong))


def log(number: int) -> None:
    CONSOLE.log(f"{number:,} sent")


class Times:
    """How long answers took: to one caller at a time, and to a crowd."""

    def __init__(self) -> None:
        self.alone: list[float] = []
        self.crowded: list[float] = []

    def around(self, knock: Knock) -> Knock:
        def ask(call: Call) -> Answer:
            begun = time.perf_counter()
            answer = knock(call)
            spent = time.perf_counter() - begun
            alone = current_thread() is main_thread()
            (self.alone if alone else self.crowded).append(spent)
            return answer

        return ask

    def show(self, whole: float) -> None:
        for name, spent in (("one at a time", self.alone), ("crowd", self.crowded)):
            ordered = sorted(spent)
            half, late = (1000 * ordered[int(len(spent) * s)] for s in (0.5, 0.99))
            CONSOLE.print(
                f"{len(spent):,} calls, {name}: half of the answers within "
                f"{half:.1f} ms, 99 % within {late:.1f} ms"
            )
        CONSOLE.print(f"{whole:,.0f} s in all")


def show(found: Found) -> None:
    """Print what was sent and what became of it, by provider and by kind."""
    CONSOLE.print(by_provider(found))
    CONSOLE.print(by_kind(found))
    for line in found.wrong[:SHOWN]:
        CONSOLE.print(line, markup=False, style="red")
    statuses = ", ".join(f"{n:,} of {s}" for s, n in sorted(found.statuses.items()))
    CONSOLE.print(f"Answers to changed calls: {statuses}")
    CONSOLE.print(
        f"{found.count(end=FORGED):,} forgeries, {found.count(end=BELIEVED)} believed; "
        f"{sum(found.events.values()):,} events came {AT_ONCE} times at once; "
        f"{found.failures.total()} answers of 500, {len(found.wrong)} violations"
    )


def by_provider(found: Found) -> Table:
    """Return a table: what the scheme vouches for may be taken, a forgery may not."""
    table = Table(title="Who was called, and how often in vain")
    table.add_column("provider")
    for heading in (
        *("events", "changed calls", "forgeries", "believed", "vouched for"),
        *("of these taken", "answers of 500"),
    ):
        table.add_column(heading, justify="right")
    for label in found.labels():
        table.add_row(
            label,
            f"{found.events[label]:,}",
            f"{found.count(label=label):,}",
            f"{found.count(label=label, end=FORGED):,}",
            f"{found.count(label=label, end=BELIEVED):,}",
            f"{found.count(label=label, end=VOUCHED):,}",
            f"{found.count(label=label, end=f'{VOUCHED} and taken'):,}",
            f"{found.failures[label]:,}",
        )
    return table


def by_kind(found: Found) -> Table:
    """Return a table of the changed calls, forgeries / vouched for by the scheme."""
    table = Table(title="What was changed: forgeries / what the scheme says nothing of")
    table.add_column("kind")
    for label in found.labels():
        table.add_column(label, justify="right")
    for kind in found.kinds():
        counts = (
            [found.count(label=label, kind=kind, end=end) for end in (FORGED, VOUCHED)]
            for label in found.labels()
        )
        table.add_row(kind, *(f"{forged:,} / {right:,}" for forged, right in counts))
    return table
