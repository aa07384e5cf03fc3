"""The other half of the stories, so that two processes share them."""

from __future__ import annotations

import pytest

from tests.proofs.simulator import play

from .test_stories import EACH, tells

SECOND = range(10_000, 20_000, EACH)


@pytest.mark.parametrize("start", SECOND)
def test_no_story_breaks_a_promise(start):
    figures = play(range(start, start + EACH))

    assert tells(figures) == []
