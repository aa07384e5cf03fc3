"""The harness can fail: the usual pattern does, under the same faults."""

from __future__ import annotations

from tests.chaos.commands import chaos


def test_the_usual_pattern_doubles_or_loses_legs():
    ended = chaos("--control", "--minutes", "0.2", "--seed", "1")

    assert ended.returncode == 0, ended.stdout
    assert "It failed, as it must." in ended.stdout
    assert "doubled: " in ended.stdout
