"""Plays the story of a seed to its end, and says what broke."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from accounts.models import Balance
from automation.models import Rule

from .abreast import Abreast
from .bank import MAIN, POUND, Bank
from .database import Database, Row, columns
from .network import Network
from .queue import EVERY, Queue
from .stage import START, Stage, Weather
from .story import POTS, Known, Occurrence, Story, tell
from .transfers import Drive
from .watch import Violation, Watch

LONGEST = 5 * 3600.0  # seconds after the last fault: what is left then is lost
MOST_STEPS = 20_000
RULE, BALANCE = columns(Rule), columns(Balance)


@dataclass(frozen=True, slots=True)
class Parts:
    """What a world is made of; a planted bug is another part."""

    drive: type[Drive] = Drive
    rows: type[Database] = Database
    network: type[Network] = Network
    queue: type[Queue] = Queue
    abreast: type[Abreast] = Abreast
    in_order: bool = True


REAL = Parts()


@dataclass(frozen=True, slots=True)
class Told:
    """How a story went: figures, and what broke, if anything."""

    seed: int
    runs: int
    legs: int
    moved: int
    waiting: int  # for a person
    steps: int
    broken: str = ""
    why: str = ""
    trace: tuple[tuple[object, ...], ...] = ()

    @property
    def digest(self) -> str:
        """Return a hash of every step that was noted."""
        return hashlib.sha256(repr(self.trace).encode()).hexdigest()


class World:
    """Everything there is in one story."""

    def __init__(self, stage: Stage, story: Story, parts: Parts) -> None:
        self.parts, self.story, self.stage = parts, story, stage
        self.calm, self.frozen = False, False
        self.begun_again: dict[object, int] = {}  # for a bug that counts attempts
        self.names: dict[object, Any] = {}  # what the bank was told, and whose it is
        self.bank = Bank(self.stage, self.story.traits, dict(self.story.balances))
        self.rows = parts.rows(self.stage, self.story.traits.horizon)
        self.network = parts.network(self.stage, self.bank, self.rows)
        self.queue = parts.queue(self)
        self.watch = Watch(self)
        self.bank.owes = self.watch.owes
        self.furnish()
        self.arrange()

    @property
    def now(self) -> datetime:
        return self.stage.now

    def furnish(self) -> None:
        """Write accounts, balances and rules."""
        for name in (MAIN, *POTS):
            self.rows.accounts[name] = account(name)
            held = self.bank.balances[name]
            read = START - timedelta(seconds=100)
            told = {"total": held, "available": held, "source": "live"}
            told |= {"as_of": read, "fetched_at": read}
            self.rows.balances[name] = Row(**BALANCE | told)
        for known in self.story.rules:
            self.rows.rules[known.pk] = rule(known)
        self.bank.keep_past()

    def arrange(self) -> None:
        """Put on the clock what happens by itself."""
        story, after = self.story, self.stage.after
        for occurrence in story.occurrences:
            after((occurrence.at - START).total_seconds(), self.beat(occurrence))
        for moment in story.doings:
            after(moment, self.owner)
        if story.closes is not None:
            moment, pot = story.closes
            after(moment, lambda: self.bank.closed.add(pot))
        if story.token_ends is not None:
            self.bank.token_ends = START + timedelta(seconds=story.token_ends)
        if story.outage is not None:
            begins, lasts = story.outage
            self.network.down_from = START + timedelta(seconds=begins)
            self.network.down_until = self.network.down_from + timedelta(seconds=lasts)
        after(story.stops_after, self.clear_up)

    def beat(self, occurrence: Occurrence) -> Any:
        return lambda: self.queue.tick(occurrence)

    def owner(self) -> None:
        """Let the owner spend, be paid, or make a move that looks like one of ours."""
        draw, pick = self.stage.draw, self.stage.chance.choice
        what, amount = draw(), pick((5, 60, 300)) * 100
        ours = list(self.rows.transfers.values())
        if what < 0.4:
            self.bank.use(MAIN, None, amount)
        elif what < 0.6:
            self.bank.use(None, MAIN, amount)
        elif what < 0.8 and ours:
            same = pick(ours)
            self.bank.use(same.source_id, same.target_id, same.amount)
        else:
            self.bank.use(*self.stage.chance.sample((MAIN, *POTS), 2), amount)

    def clear_up(self) -> None:
        """End all faults: from now on everything must come to an end by itself."""
        self.stage.note("calm")
        self.calm, self.stage.weather = True, Weather()
        self.network.down_until = self.now

    def play(self) -> None:
        """Take turns until nothing is left to do."""
        until_quiet(self.stage, self.queue, self.story.stops_after + LONGEST)
        self.watch.end()


def until_quiet(stage: Stage, queue: Queue, limit: float) -> None:
    """Take turns until nothing is left to do; raises Violation after `limit` seconds."""
    while True:
        at = stage.next_at()
        if at is None or at > queue.swept + EVERY:
            look = queue.next_look()
            if look is not None and (at is None or look < at):
                stage.wait_until(look)
                queue.sweep()
                at = stage.next_at()
        if at is None and queue.next_look() is None:
            break
        if stage.steps > MOST_STEPS or stage.seconds > limit:
            raise Violation("lost", f"No end at {stage.now}, {stage.steps} steps")
        if at is not None:
            stage.turn()


def account(name: str) -> Any:
    return Row(
        pk=name,
        external_id=name,
        name=name,
        parent_id=None if name == MAIN else MAIN,
        kind="current" if name == MAIN else "pot",
        connection_id=1,
        asset="GBP/2",
        unit=POUND,
        goal=None,
        closed_at=None,
        protected_at=None,
        can_send=True,
        can_receive=True,
        automates=True,
        active=True,
    )


def rule(known: Known) -> Any:
    words = {name: getattr(known, name) for name in Known.__dataclass_fields__}
    accounts = frozenset(leg.account for leg in known.spec.legs)
    more = {"on_stale": known.spec.on_stale, "asset": "GBP/2", "accounts": accounts}
    return Row(**RULE | words | more)


def simulate(seed: int, parts: Parts = REAL, *, trace: bool = False) -> Told:
    """Play one story; it is the same whenever the seed is."""
    chance = random.Random(seed)
    story = tell(chance)
    stage = Stage(chance, story.weather, trace=trace)
    world = World(stage, story, parts)
    return told_of(seed, [world], world.play)


def told_of(seed: int, worlds: Sequence[World], play: Callable[[], None]) -> Told:
    """Return how it goes with `worlds`, which are on one stage."""
    broken, why = "", ""
    try:
        play()
    except Violation as error:
        broken, why = error.kind, str(error)
    (stage,) = {world.stage for world in worlds}
    rows = [row for world in worlds for row in world.rows.transfers.values()]
    return Told(
        seed,
        sum(len(world.rows.runs) for world in worlds),
        len(rows),
        sum(len(world.bank.moves) for world in worlds),
        sum(row.needs_person for row in rows),
        stage.steps,
        broken,
        why,
        tuple(stage.trace or ()),
    )
