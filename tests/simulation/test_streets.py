"""Stories of several banks, whose runs go side by side: nothing breaks there either."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.proofs.simulator import play

from .street import simulate
from .test_stories import tells

EACH = 250  # seeds


@pytest.mark.parametrize("start", range(0, 4 * EACH, EACH))
def test_no_story_breaks_a_promise(start):
    figures = play(range(start, start + EACH), simulate)

    assert tells(figures) == []


def test_the_stories_are_worth_telling():
    seen = Counter[tuple[object, ...]]()
    for seed in range(EACH):
        trace = simulate(seed, trace=True).trace
        seen.update(line[1:] for line in trace if str(line[1]).endswith("together"))

    assert seen["planned together", 2] > 50
    assert seen["planned together", 3] > 10
    assert seen["ended together", 1] > 20
    assert seen["ended together", 2] > 0
