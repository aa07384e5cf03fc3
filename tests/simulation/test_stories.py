"""The whole engine in stories of chance: nothing doubled, lost, miscounted, overdrawn."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.proofs.simulator import Figures, play

from .play import simulate

ROOT = Path(__file__).parents[2]
EACH = 1_000  # seeds; this file and its neighbour play 20,000 together
FIRST = range(0, 10_000, EACH)
BROKEN = [132_341, 294_022, 332_286, 550_668, 803_119, 820_369]  # once


@pytest.mark.parametrize("start", FIRST)
def test_no_story_breaks_a_promise(start):
    figures = play(range(start, start + EACH))

    assert tells(figures) == []


@pytest.mark.parametrize("seed", BROKEN)
def test_no_story_breaks_a_promise_that_once_did(seed):
    assert simulate(seed).broken == ""


def tells(figures: Figures) -> list[str]:
    """Return what broke; `manage.py prove simulator --seed N` tells how."""
    return [f"seed {told.seed}: {told.why}" for told in figures.broken]


def test_the_stories_are_worth_telling():
    figures, seen, relayed = Figures(), set(), Counter()
    for seed in range(500):
        told = simulate(seed, trace=True)
        figures.add(told)
        seen |= {str(line[3]) for line in told.trace if line[1] == "row"}
        relayed.update(line[3] for line in told.trace if line[1] == "handed on")

    counts = figures.counts
    assert counts["runs"] > 500
    assert counts["moved"] > 300
    assert counts["waiting"] > 5
    assert relayed.total() > 200
    assert min(relayed["the same"], relayed["another"]) > 50
    assert {"done", "reversed", "refused", "expired", "unknown"} <= seen


def test_a_story_is_the_same_in_every_process():
    asked = [sys.executable, "manage.py", "prove", "simulator", "--digest"]
    told = [
        subprocess.Popen(
            [*asked, "--seeds", "200"],
            cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": chance},
            stdout=subprocess.PIPE,
            text=True,
        )
        for chance in ("1", "2")
    ]
    first, second = (process.communicate()[0].split()[-1] for process in told)

    assert len(first) == 64
    assert first == second
