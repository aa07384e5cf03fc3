"""Several banks, their owners and rules on one clock: runs go side by side."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from .bank import MAIN
from .play import LONGEST, REAL, Parts, Told, World, told_of, until_quiet
from .queue import Queue
from .stage import START, Process, Stage
from .story import Known, Occurrence, Story, rules, tell


class Apart(Queue):
    """The messages of one world of a street; what is due is looked for in all."""

    beats: Beats

    def tick(self, occurrence: Occurrence) -> None:
        self.beats.tick(occurrence)


class Beats(Queue):
    """The messages about runs of all worlds, the beats and the sweeper."""

    @property
    def worlds(self) -> list[World]:
        return list(self.world.worlds)

    def publish_runs(self, named: list[tuple[int, str]]) -> None:
        """Send a message about runs: about several at once, if there are several."""
        if len(named) > 1:
            self.publish("execute_runs", tuple(named))
        for place, pk in named if len(named) == 1 else ():
            self.worlds[place].queue.publish("execute_run", pk)

    def worker(self, process: Process) -> Any:
        return self.world.parts.abreast(self.world, process)

    def unlock(self, process: Process) -> None:
        for world in self.worlds:
            world.rows.unlock(process)

    def due_at(self) -> Any:
        moments = [world.queue.due_at() for world in self.worlds]
        return min((at for at in moments if at is not None), default=None)

    def sweep(self) -> None:
        self.swept = self.stage.seconds
        for world in self.worlds:
            for occurrence in world.story.occurrences:
                if occurrence.at <= self.stage.now:
                    self.tick(occurrence)
        places = enumerate(self.worlds)
        self.publish_runs([(at, pk) for at, w in places for pk in w.rows.due_runs()])
        for world in self.worlds:
            for pk in world.rows.due_transfers():
                world.queue.publish("reread", pk)


class Street:
    """Worlds that share nothing but the clock, the weather, and who works for them."""

    def __init__(self, stage: Stage, stories: Sequence[Story], parts: Parts) -> None:
        self.stage, self.parts = stage, parts
        each = replace(parts, queue=Apart)
        self.worlds = [World(stage, story, each) for story in stories]
        self.queue = Beats(self)
        for world in self.worlds:
            world.queue.beats = self.queue  # type: ignore[attr-defined]

    @property
    def calm(self) -> bool:
        return self.worlds[0].calm

    def play(self) -> None:
        """Take turns until nothing is left to do, anywhere."""
        limit = self.worlds[0].story.stops_after + LONGEST
        until_quiet(self.stage, self.queue, limit)
        for world in self.worlds:
            world.watch.end()


def draw(chance: random.Random) -> list[Story]:
    """Draw stories that go on at the same time."""
    stories = [tell(chance) for _ in range(chance.choice((2, 2, 3)))]
    stops = max(story.stops_after for story in stories)
    for story in stories:
        story.stops_after = stops  # all is calm at the same time
        coincide(chance, story)
    return stories


def coincide(chance: random.Random, story: Story) -> None:
    """Let a rule be due when others are, and often one that needs a single transfer."""
    first, other = story.rules[0], chance.choice(short())
    if chance.random() < 0.5 and other not in story.rules:
        story.rules[0] = other
        for occurrence in story.occurrences:
            if occurrence.rule == first.pk:
                occurrence.rule = other.pk
    story.occurrences[0].at = START


@cache
def short() -> list[Known]:
    """Return the rules that top up between the account and one of its pots."""
    return [
        known
        for known in rules()
        if known.spec.kind == "topup" and MAIN in {g.account for g in known.spec.legs}
    ]


def simulate(seed: int, parts: Parts = REAL, *, trace: bool = False) -> Told:
    """Play one story of several worlds; it is the same whenever the seed is."""
    chance = random.Random(f"street {seed}")
    stories = draw(chance)
    stage = Stage(chance, stories[0].weather, trace=trace)
    street = Street(stage, stories, parts)
    return told_of(seed, street.worlds, street.play)
