"""Rules that wait for or start each other must not do so in a circle."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def find_cycle(
    start: str, following: Mapping[str, Iterable[str]]
) -> tuple[str, ...] | None:
    """Return a way from `start` back to `start`, or None if there is none.

    `following` tells, by rule, which rules it starts or lets go on: those after it, those
    that depend on it, and the one it runs where its conditions do not hold.
    """
    came_from: dict[str, str] = {}
    waiting = [start]
    while waiting:
        rule = waiting.pop()
        for after in following.get(rule, ()):
            if after == start:
                return way(start, rule, came_from)
            if after not in came_from:
                came_from[after] = rule
                waiting.append(after)
    return None


def way(start: str, last: str, came_from: Mapping[str, str]) -> tuple[str, ...]:
    """Return the rules from `start` to `last`, and `start` again."""
    back = [start, last]
    while back[-1] != start:
        back.append(came_from[back[-1]])
    return tuple(reversed(back))
