"""Everything breaks for a minute; nothing is doubled, nothing is lost."""

from __future__ import annotations

from tests.chaos.commands import chaos


def test_a_minute_of_chaos_moves_every_leg_once():
    ended = chaos("--minutes", "1", "--seed", "1")

    assert ended.returncode == 0, ended.stdout
    assert "doubled/missing/mismatched 0/0/0" in ended.stdout
