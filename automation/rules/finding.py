"""What in the stored past could have made a rule due, and when it was noticed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from .labels import LABELS
from .past import Course, Followed, Past
from .payday import MovementSeen, is_salary, matches, payday, transactions
from .terms import RuleSpec
from .thresholds import Reading as Crossing
from .thresholds import crossed, is_beyond
from .trigger_terms import Occurrence, TriggerSpec
from .triggers import ELAPSED, next_occurrence

INSTANT = timedelta(microseconds=1)
# A person, a client or a bank fires these; nobody stored that they would have.
SILENT = frozenset({"manual", "api", "webhook"})


@dataclass(frozen=True, slots=True)
class Candidate:
    """A moment at which a trigger is looked at, and what for."""

    at: datetime
    due: Occurrence | None = None  # known beforehand: by the clock, after another rule


class Walked(Protocol):
    """What finding needs to know of a replay under way."""

    rule: RuleSpec
    past: Past
    triggers: Sequence[TriggerSpec]
    course: Course
    last_fired: dict[int, datetime]
    armed: dict[int, bool]


def candidates(
    trigger: TriggerSpec, past: Past, rule: RuleSpec, since: datetime, until: datetime
) -> Iterator[Candidate]:
    """Yield when `trigger` is looked at, from `since` to `until`, in order."""
    if trigger.kind in LABELS or trigger.kind in ELAPSED:
        return by_clock(trigger, rule.timezone, since, until)
    look = LOOKS.get(trigger.kind)
    if look is None:
        return iter(())
    return iter([c for c in look(trigger, past) if since <= c.at <= until])


def by_clock(
    trigger: TriggerSpec, zone: str, since: datetime, until: datetime
) -> Iterator[Candidate]:
    after = since - INSTANT
    while True:
        found = next_occurrence(trigger, zone=zone, after=after, tries=True)
        if found is None or found.at > until:
            return
        yield Candidate(found.at, found)
        after = found.at


def of_movements(trigger: TriggerSpec, past: Past) -> list[Candidate]:
    """Return the moments at which fitting movements were noticed."""
    fits = is_salary if trigger.kind == "payday" else matches
    found = {
        noticed(past, account, seen)
        for account, rows in past.movements.items()
        for seen in rows
        if fits(trigger, seen)
    }
    return [Candidate(at) for at in sorted(found)]


def noticed(past: Past, account: str, seen: MovementSeen) -> datetime:
    """Return when a movement was noticed: with the first reading after it, if any."""
    moment = max(seen.created, seen.settled or seen.created)
    return past.read_from(account, moment) or moment


def of_readings(trigger: TriggerSpec, past: Past) -> list[Candidate]:
    """Return the moments at which the account of a threshold was read."""
    return [Candidate(row.as_of) for row in past.readings.get(trigger.account, ())]


def of_followed(trigger: TriggerSpec, past: Past) -> list[Candidate]:
    """Return when runs of the followed rule ended that moved enough."""
    found = [
        Candidate(run.finished, after(run))
        for run in past.followed
        if run.rule == trigger.rule and run.moved >= (trigger.min_moved or 0)
    ]
    return sorted(found, key=lambda candidate: candidate.at)


def after(run: Followed) -> Occurrence:
    return Occurrence(
        f"after_rule:{run.rule}:{run.key}", run.finished, "After another rule's run"
    )


LOOKS: dict[str, Callable[[TriggerSpec, Past], list[Candidate]]] = {
    "payday": of_movements,
    "transaction": of_movements,
    "balance": of_readings,
    "after_rule": of_followed,
}


# What is due then


def found_at(walk: Walked, index: int, candidate: Candidate) -> list[Occurrence]:
    """Return what trigger `index` makes due at a moment at which it is looked at."""
    if candidate.due is not None:
        return [candidate.due]
    return FINDS[walk.triggers[index].kind](walk, index, candidate.at)


def seen_by(walk: Walked, at: datetime) -> list[MovementSeen]:
    """Return the movements that were noticed by `at`."""
    return [
        seen
        for account, rows in walk.past.movements.items()
        for seen in rows
        if seen.created <= at and noticed(walk.past, account, seen) <= at
    ]


def salaries(walk: Walked, index: int, at: datetime) -> list[Occurrence]:
    found = payday(
        walk.triggers[index],
        seen_by(walk, at),
        asset=walk.rule.asset,
        now=at,
        last_fired=walk.last_fired.get(index),
        zone=walk.rule.timezone,
    )
    return [found] if found else []


def payments(walk: Walked, index: int, at: datetime) -> list[Occurrence]:
    just_now = [
        seen
        for account, rows in walk.past.movements.items()
        for seen in rows
        if noticed(walk.past, account, seen) == at
    ]
    return transactions(
        walk.triggers[index],
        just_now,
        asset=walk.rule.asset,
        now=at,
        since=datetime.min.replace(tzinfo=at.tzinfo),
    )


def crossings(walk: Walked, index: int, at: datetime) -> list[Occurrence]:
    trigger = walk.triggers[index]
    available = walk.course.available(trigger.account, at)
    if available is None:
        return []
    armed = walk.armed.get(index, was_armed(walk, trigger, at))
    reading = Crossing(available, at)
    walk.armed[index], found = crossed(trigger, [reading], armed=armed, since=at)
    return [found] if found else []


def was_armed(walk: Walked, trigger: TriggerSpec, at: datetime) -> bool:
    """Say whether a threshold could fire when the stretch began.

    Where the balance was beyond it already, it had fired then.
    """
    before = walk.course.available(trigger.account, at - INSTANT)
    return before is None or not is_beyond(trigger, before)


FINDS: dict[str, Callable[[Walked, int, datetime], list[Occurrence]]] = {
    "payday": salaries,
    "transaction": payments,
    "balance": crossings,
}
