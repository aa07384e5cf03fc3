"""A simulator that cannot fail proves nothing: each planted bug must be found."""

from __future__ import annotations

import pytest

from tests.proofs.simulator import first

from .planted import ABREAST, PLANTED


@pytest.mark.parametrize("name", [*PLANTED, *ABREAST])
def test_a_planted_bug_is_found(name):
    assert first(name, 0) is not None


def test_there_are_fifteen():
    assert len(PLANTED) == 15
    assert len(ABREAST) == 2
