"""What one seed tells: a bank, its owner, rules, when they are due, and the weather."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any
from uuid import UUID, uuid5

from automation.rules import Leg, Limits, RuleSpec

from .bank import MAIN, Traits
from .stage import START, Weather

INSTALLATION = UUID(int=1)
POTS = ("p0", "p1", "p2")
RULES = 600  # different ones, of which every story has one to three
SECONDS = timedelta(seconds=1)
KINDS = ("sweep", "autosort", "topup", "topup")


@dataclass(slots=True)
class Occurrence:
    """A moment at which a rule is due."""

    rule: UUID
    key: str
    kind: str
    at: datetime
    beats: int
    started: bool = False

    def __repr__(self) -> str:
        return f"{self.kind} {self.key} of {self.rule}"


@dataclass(slots=True)
class Story:
    """Everything that is decided before the first step."""

    weather: Weather
    traits: Traits
    balances: dict[str, int]
    stops_after: float  # seconds after which nothing bad happens any more
    rules: list[Any]
    occurrences: list[Occurrence]
    outage: tuple[float, float] | None = None
    token_ends: float | None = None
    closes: tuple[float, str] | None = None
    doings: list[float] = field(default_factory=list)  # when the owner does something


@dataclass(frozen=True, slots=True)
class KnownLeg:
    """A leg as the services read it from its row."""

    account_id: str
    role: str
    keep: int | None
    floor: int | None
    keep_share: Decimal | None


@dataclass(slots=True)
class Known:
    """A rule as its row is: what changes, and what it says."""

    pk: UUID
    name: str
    spec: RuleSpec
    all_legs: tuple[KnownLeg, ...]
    priority: int
    plan_ttl_seconds: int
    max_lateness_seconds: int
    cooldown_seconds: int


def tell(chance: random.Random) -> Story:
    """Draw a story."""
    pick, draw = chance.choice, chance.random
    stops = pick((300.0, 1200.0, 3000.0, 5000.0))
    story = Story(
        Weather(
            pick((0.0, 0.02, 0.05)), pick((0.0, 0.01, 0.03)), pick((0.0, 0.15, 0.35))
        ),
        traits(chance),
        {
            MAIN: pick((50, 500, 1500)) * 100,
            **{p: pick((0, 80, 400)) * 100 for p in POTS},
        },
        stops,
        chance.sample(rules(), pick((1, 1, 2, 3))),
        [],
    )
    for rule in story.rules:
        story.occurrences += due(chance, rule, stops)
    if draw() < 0.35:
        story.outage = draw() * stops / 2, pick((60.0, 600.0, 2400.0))
    if draw() < 0.25:
        story.token_ends = draw() * min(stops, 600)
    if draw() < 0.08:
        story.closes = draw() * min(stops, 600), pick(POTS)
    if draw() < 0.5:
        story.doings = [draw() * min(stops, 1200) for _ in range(pick((1, 2, 4)))]
    return story


def traits(chance: random.Random) -> Traits:
    """Draw a bank. One that promises to remember ids does so for as long at least."""
    pick, draw = chance.choice, chance.random
    horizon = pick((600, 3600)) * SECONDS
    return Traits(
        horizon=horizon,
        memory=pick((None, horizon, horizon, 2 * horizon)),
        shows_ids=draw() < 0.6,
        lag=pick((0, 0, 0, 5, 30)) * SECONDS,
        tells_amount=draw() < 0.7,
        tells_pot=draw() < 0.7,
        refers=draw() < 0.6,
        replays_first=draw() < 0.5,
        remembers_no=draw() < 0.2,
        overdraft=draw() < 0.5,
        lies=0.1 if draw() < 0.05 else 0.0,
        reads_apart=draw() < 0.3,
    )


def due(chance: random.Random, rule: Any, stops: float) -> list[Occurrence]:
    """Draw when `rule` is due: at the same moment as others, often."""
    found = []
    for number in range(chance.choice((1, 1, 2))):
        after = chance.choice((0.0, 0.0, 30.0, chance.random() * min(stops, 1200)))
        kind = chance.choice(("daily", "daily", "manual"))
        beats = 2 if chance.random() < 0.3 else 1
        at = START + after * SECONDS
        found.append(Occurrence(rule.pk, str(number), kind, at, beats))
    return found


@cache
def rules() -> list[Known]:
    """Return the rules there are; the same ones in every story, so they parse once."""
    return [rule(random.Random(f"rule {number}"), number) for number in range(RULES)]


def rule(chance: random.Random, number: int) -> Known:
    pick = chance.choice
    kind = pick(KINDS)
    legs = LEGS[kind](chance)
    careless = kind != "autosort" and pick((False,) * 9 + (True,))
    if careless:
        legs = tuple(floored(leg) for leg in legs)
    name = uuid5(INSTALLATION, f"rule {number}")
    limits = Limits(per_day=pick((None, None, None, 150_00)))
    short = pick((None, "partial", "refuse"))
    spec = RuleSpec(
        str(name),
        f"r{number}",
        kind,
        "GBP/2",
        legs,
        limits,
        on_stale="use_floor" if careless else "skip",
        on_short="retry_next" if short == "refuse" and number % 2 else short,
    )
    known = tuple(
        KnownLeg(g.account, g.role, g.keep, g.floor, g.keep_share) for g in legs
    )
    return Known(
        name,
        f"r{number}",
        spec,
        known,
        priority=pick((1, 100, 100)),
        plan_ttl_seconds=pick((600, 3600)),
        max_lateness_seconds=pick((900, 3600)),
        cooldown_seconds=pick((0, 0, 300)),
    )


def floored(leg: Leg) -> Leg:
    words = {name: getattr(leg, name) for name in Leg.__dataclass_fields__}
    return Leg(**words | ({"floor": 10_00} if leg.role == "source" else {}))


def reserve(chance: random.Random) -> dict[str, Any]:
    return chance.choice(({}, {"keep": 20_00}, {"floor": 30_00}))


def sweep(chance: random.Random) -> tuple[Leg, ...]:
    places = chance.sample((MAIN, *POTS), chance.choice((2, 2, 3)))
    sources = []
    for order, place in enumerate(places[1:]):
        words: dict[str, Any] = chance.choice(
            (
                {"strategy": "fixed", "amount": 35_00},
                {"strategy": "share", "share": Decimal("0.25")},
                {"strategy": "above", "keep": 40_00},
                {"strategy": "all"},
            )
        )
        sources.append(Leg(place, "source", order, **reserve(chance) | words))
    return (*sources, Leg(places[0], "target", 9, strategy=""))


def autosort(chance: random.Random) -> tuple[Leg, ...]:
    source, *pots = chance.choice(((MAIN, *POTS), (MAIN, *POTS), ("p2", "p0", "p1")))
    roles = (
        ("bills", {"strategy": "fixed", "amount": 60_00}),
        ("goal", {"strategy": "to_target", "target": 250_00}),
        ("investment", {"strategy": "share", "share": Decimal("0.3")}),
        ("investment", {"strategy": "equal"}),
    )
    legs = [
        Leg(pot, role, order, **words)
        for order, pot in enumerate(pots, 1)
        for role, words in (chance.choice(roles),)
    ]
    return (Leg(source, "source", 0, strategy="", **reserve(chance)), *legs)


def topup(chance: random.Random) -> tuple[Leg, ...]:
    between_pots = chance.random() < 0.45
    source, target = chance.sample(POTS if between_pots else (MAIN, *POTS), 2)
    words: dict[str, Any] = chance.choice(
        (
            {"strategy": "fixed", "amount": 45_00},
            {"strategy": "to_target", "target": 300_00},
            {"strategy": "balance", "low": 50_00, "target": 90_00, "high": 200_00},
        )
    )
    return (
        Leg(source, "source", 0, strategy="", **reserve(chance)),
        Leg(target, "target", 1, **words),
    )


LEGS = {"sweep": sweep, "autosort": autosort, "topup": topup}
