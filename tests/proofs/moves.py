"""The transfer engine, hunted by hypothesis and by seeds: `manage.py prove moves`.

`--profile commit` is 500 examples of 50 steps, `nightly` 10,000 of 100.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Sequence

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.automation.engine import story
from tests.automation.test_machine_moves import Moves

# Examples of hypothesis, steps of each, and stories told by seed.
PROFILES = {"commit": (500, 50, 20_000), "nightly": (10_000, 100, 1_000_000)}


def main(argv: Sequence[str]) -> int:
    """Print the figures and return 1 if any promise was broken."""
    wishes = argparse.ArgumentParser(prog="manage.py prove moves", description=__doc__)
    wishes.add_argument("--profile", choices=PROFILES, default="commit")
    examples, steps, seeds = PROFILES[wishes.parse_args(argv).profile]
    return max(hunted(examples, steps), told(seeds))


def hunted(examples: int, steps: int) -> int:
    """Let hypothesis look for the shortest story that breaks a promise."""
    hunt = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    begun = time.perf_counter()
    try:
        run_state_machine_as_test(Moves, settings=hunt)
    except AssertionError as error:
        print(f"hypothesis broke a promise: {error}")
        return 1
    seconds = time.perf_counter() - begun
    print(f"{examples:,} examples of up to {steps} steps, 0 broken, {seconds:.0f} s")
    return 0


def told(seeds: int) -> int:
    """Tell stories by seed, and say how often each thing happened in them."""
    happened, broken = Counter[str](), []
    begun = time.perf_counter()
    for seed in range(seeds):
        try:
            happened.update(story(seed).happened)
        except AssertionError as error:
            broken.append(f"seed {seed}: {error}")
    seconds = time.perf_counter() - begun
    print(f"{seeds:,} stories, {len(broken)} broken, {seeds / seconds:,.0f} a second")
    for line in broken[:5]:
        print(f"  {line}")
    for name, count in happened.most_common():
        print(f"  {count:>10,}  {name}")
    return int(bool(broken))
