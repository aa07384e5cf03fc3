"""Plays many stories of `tests/simulation/`: `manage.py prove simulator --seeds 1000000`.

`--streets` plays stories of several banks, whose runs go side by side. `--planted` shows
instead that each planted bug is found; `--seed N` tells one story.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from tests.simulation import street
from tests.simulation.planted import ABREAST, PLANTED
from tests.simulation.play import Told
from tests.simulation.play import simulate as alone

CHUNK = 250  # seeds that a process plays before it reports
WITHIN = 20_000  # seeds in which a planted bug must show
SHOWN = 5  # failing seeds that are told with their trace
LINES = 60
BUGS = {**PLANTED, **ABREAST}
Simulate = Callable[..., Told]


@dataclass(slots=True)
class Figures:
    """What many stories came to."""

    counts: Counter[str] = field(default_factory=Counter)
    broken: list[Told] = field(default_factory=list)

    def add(self, told: Told) -> None:
        for name in ("runs", "legs", "moved", "waiting", "steps"):
            self.counts[name] += getattr(told, name)
        self.counts["seeds"] += 1
        if told.broken:
            self.counts[f"broken {told.broken}"] += 1
            self.broken.append(told)

    def merge(self, other: Figures) -> None:
        self.counts.update(other.counts)
        self.broken += other.broken

    def line(self, seconds: float) -> str:
        c = self.counts
        return (
            f"{c['seeds']:,} seeds, {c['runs']:,} runs, {c['legs']:,} transfers, "
            f"{c['moved']:,} moved, {c['waiting']:,} before a person, "
            f"{c['steps']:,} steps; doubled {c['broken doubled']}, "
            f"lost {c['broken lost']}, wrong books {c['broken books']}, "
            f"overdrafts {c['broken overdraft'] + c['broken stale']}, "
            f"all violations {len(self.broken)}; "
            f"{c['seeds'] / max(seconds, 0.001):,.0f} seeds/s"
        )


def main(argv: Sequence[str]) -> int:
    """Return 1 if a promise was broken, or a planted bug was not found."""
    options = parser().parse_args(argv)
    simulate = street.simulate if options.streets else alone
    if options.seed is not None:
        return tell(simulate(options.seed, trace=True), simulate)
    if options.digest:
        print(digest(options.start, options.seeds))
        return 0
    if options.planted:
        return hunt(options.start)
    return prove(options.start, options.seeds, options.jobs, simulate)


def parser() -> argparse.ArgumentParser:
    words = argparse.ArgumentParser(prog="manage.py prove simulator")
    words.add_argument("--seeds", type=int, default=20_000)
    words.add_argument("--start", type=int, default=0)
    words.add_argument("--jobs", type=int, default=1, help="processes")
    words.add_argument(
        "--streets", action="store_true", help="several banks in each story"
    )
    words.add_argument("--seed", type=int, help="tell this one story, step by step")
    words.add_argument("--planted", action="store_true", help="find planted bugs")
    words.add_argument(
        "--digest", action="store_true", help="hash all steps of both kinds of stories"
    )
    return words


def prove(start: int, seeds: int, jobs: int, simulate: Simulate = alone) -> int:
    """Play `seeds` stories on `jobs` processes, and print what they came to."""
    began, figures = time.monotonic(), Figures()
    for done, part in enumerate(parts(start, seeds, jobs, simulate), 1):
        figures.merge(part)
        for told in part.broken:
            print(f"seed {told.seed}: {told.why}", flush=True)
        if done % 40 == 0:
            print(figures.line(time.monotonic() - began), flush=True)
    print(figures.line(time.monotonic() - began))
    for told in figures.broken[:SHOWN]:
        streets = "" if simulate is alone else "--streets "
        print(f"options: {streets}--start {start} --seeds {seeds}")
        tell(simulate(told.seed, trace=True), simulate, LINES)
    return 1 if figures.broken else 0


def parts(start: int, seeds: int, jobs: int, simulate: Simulate) -> Iterator[Figures]:
    end, each = start + seeds, partial(play, simulate=simulate)
    chunks = [range(s, min(s + CHUNK, end)) for s in range(start, end, CHUNK)]
    if jobs == 1:
        yield from map(each, chunks)
        return
    with get_context("fork").Pool(jobs) as pool:
        yield from pool.imap_unordered(each, chunks)


def play(seeds: range, simulate: Simulate = alone) -> Figures:
    figures = Figures()
    for seed in seeds:
        figures.add(simulate(seed))
    return figures


def tell(told: Told, simulate: Simulate, lines: int | None = None) -> int:
    """Print a story; all that is needed to play it again."""
    shown = told.trace if lines is None else told.trace[-lines:]
    for line in shown:
        print(*line)
    print(f"seed {told.seed} at commit {commit()}: {told.why or 'all promises held'}")
    streets = "" if simulate is alone else " --streets"
    again = f"manage.py prove simulator{streets} --seed {told.seed}"
    print(f"again: {again}   (trace {told.digest})")
    return 1 if told.broken else 0


def digest(start: int, seeds: int) -> str:
    """Return one hash of every step of many stories, of both kinds."""
    whole = hashlib.sha256()
    for seed in range(start, start + seeds):
        for simulate in (alone, street.simulate):
            whole.update(simulate(seed, trace=True).digest.encode())
    return whole.hexdigest()


def commit() -> str:
    """Return the commit of the source tree, or `unknown`."""
    asked = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent,
        check=False,
    )
    return asked.stdout.strip() or "unknown"


def hunt(start: int) -> int:
    """Look for each planted bug, and print how soon it was found."""
    missed = 0
    for name, bug in BUGS.items():
        found = first(name, start)
        missed += found is None
        if found is None:
            print(f"{name:20} NOT FOUND in {WITHIN:,} seeds: {bug.what}", flush=True)
            continue
        took = found.seed - start + 1
        print(
            f"{name:20} seed {found.seed}, after {took:,} seeds: {found.why}",
            flush=True,
        )
    print(f"{len(BUGS) - missed} of {len(BUGS)} found within {WITHIN:,} seeds")
    return 1 if missed else 0


def first(name: str, start: int) -> Told | None:
    """Return the first story from `start` on that a planted bug breaks."""
    simulate = street.simulate if name in ABREAST else alone
    for seed in range(start, start + WITHIN):
        told = simulate(seed, BUGS[name].parts)
        if told.broken:
            return told
    return None
