"""A simulator that cannot fail proves nothing: each planted bug must be found."""

from __future__ import annotations

import pytest

from tests.proofs.simulator import first

from .planted import PLANTED


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_bug_is_found(name):
    assert first(name, 0) is not None


def test_there_are_fourteen():
    assert len(PLANTED) == 14
