"""What must hold while one provider after the other is dead."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .town import Told, Town

PAID = 7_77


@dataclass(frozen=True)
class Outcome:
    """What one outage was like."""

    slug: str
    accounts: int
    syncs: int  # that failed meanwhile
    seconds: float  # until everything was well again
    faults: tuple[str, ...]
    told: Told  # at the end, when nothing more happened


def kill_each(town: Town, syncs: int) -> Iterator[Outcome]:
    """Kill every provider in turn, for so many syncs each."""
    told = town.told()
    for slug in town.branches:
        outcome = kill(town, slug, syncs, told)
        told = outcome.told
        yield outcome


def kill(town: Town, slug: str, syncs: int, last: Told) -> Outcome:
    """Kill one provider, look at what is told, let it come back, and look again."""
    hit, others = town.accounts_at(slug), set(town.branches) - {slug}
    faults = [*well(town, last, "before")]
    town.branches[slug].kill()
    for number in range(syncs):
        town.let_the_second_pass()
        paid = [town.pay_somebody(other, PAID) for other in sorted(others)]
        written = town.snapshots()
        town.let_time_pass()
        town.sync()
        told = town.told()
        faults += down(last, told, hit, paid, f"sync {number + 1} of the outage")
        if told.total != town.worth(told.totals):
            faults.append(f"sync {number + 1}: the total is {told.total}")
        new = [of for pk, of in town.snapshots().items() if pk not in written]
        if sorted(of["account"] for of in new) != sorted(paid):
            faults.append(f"sync {number + 1}: {paid} were paid, and written was {new}")
        last = told
    town.branches[slug].open()
    town.pay_somebody(slug, PAID)
    seconds = town.recover(slug)
    last = town.told()
    faults += well(town, last, "after")
    return Outcome(slug, len(hit), syncs, seconds, tuple(faults), last)


def down(last, told, hit, paid, when: str) -> Iterator[str]:
    """Yield what is told wrongly while the accounts `hit` cannot be read."""
    expected = {
        pk: total + (PAID * paid.count(pk) if total is not None else 0)
        for pk, total in last.totals.items()
    }
    for pk, total in told.totals.items():
        if total != expected[pk]:
            yield f"{when}: {pk} is told as {total}, and held {expected[pk]}"
    if (told.failed, told.stale) != (hit, hit):
        yield f"{when}: {set(told.failed)} failed, {set(told.stale)} stale, not {hit}"
    if told.total < last.total:
        yield f"{when}: the total went from {last.total} to {told.total}"
    if (told.status, told.complete) != ("stale", False) or told.missing != hit:
        yield f"{when}: the whole is {told.status}, without {set(told.missing)}"


def well(town: Town, told: Told, when: str) -> Iterator[str]:
    """Yield what is not told as it should be while every provider answers."""
    for pk, held in town.books(town.branches).items():
        if told.totals[pk] != held:
            yield f"{when}: {pk} is told as {told.totals[pk]}, the books say {held}"
    if marked := told.failed | told.stale | told.missing:
        yield f"{when}: {set(marked)} are marked"
    if (told.status, told.complete) != ("ok", True):
        yield f"{when}: the whole is {told.status}"
