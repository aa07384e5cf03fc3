"""The simulated services commit what the real ones commit, in the same order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import pytest

from automation import services
from automation.models import RuleRun, Transfer
from automation.services import asking, sending
from providers.errors import OutcomeUnknown, RateLimited, Unavailable
from tests.simulation.bank import Traits
from tests.simulation.database import Database
from tests.simulation.network import CUT, LIMITED, LOST, UNREACHABLE, Network
from tests.simulation.play import Parts, World
from tests.simulation.stage import START, Weather
from tests.simulation.story import Known, KnownLeg, Legs, Occurrence, Story
from tests.simulation.watch import Watch

from .conftest import gbp, leg

pytestmark = pytest.mark.django_db
FATES = (None, UNREACHABLE, LIMITED, LOST, CUT)
SCRIPTS = [*product(FATES, repeat=2), (CUT, CUT, LOST, None), (LOST, LOST, LOST, LOST)]
TOLD = ("step", "status", "attempts", "may_have_moved", "needs_person", "error_code")
PLACES = {"main": 1000_00, "p0": 0, "p1": 200_00, "p2": 0}


def seen(row) -> tuple[object, ...]:
    return tuple(getattr(row, name) for name in TOLD)


@pytest.fixture(params=["main", "p1"])
def rule(alice, request):
    """Bring the first pot up to 150.00, from the account or from another pot."""
    accounts = {"main": alice.main, "p1": alice.pots[1]}
    for name, account in accounts.items():
        alice.fill(account, PLACES[name])
    made = alice.rule(
        "topup",
        leg(accounts[request.param], "source"),
        leg(alice.pots[0], "target", strategy="to_target", target=gbp(150_00)),
    )
    made.from_ = request.param
    return made


# -- the real services, with a network that does as it is told


class Script:
    """What happens to each request that is not a reading of balances."""

    def __init__(self, fates) -> None:
        self.left: Iterator[int | None] = iter(fates)

    def next(self) -> int | None:
        return next(self.left, None)

    def around(self, call, *, moves: bool):
        def scripted(connection, make):
            fate = self.next()
            lost = OutcomeUnknown if moves else Unavailable
            if fate == UNREACHABLE:
                raise Unavailable
            if fate == LIMITED:
                raise RateLimited(retry_after=1.0)
            if fate == LOST:
                raise lost
            answer = call(connection, make)
            if fate == CUT:
                raise lost
            return answer

        return scripted


def really(rule, fates, let_time_pass, monkeypatch) -> list[object]:
    """Return what the services commit of the transfers, and how the run ended."""
    script, told = Script(fates), []
    save, finish = sending.save_transfer, sending.finish_run

    def saved(row, after, **more):
        kept = save(row, after, **more)
        told.append(seen(row))
        return kept

    def finished(run, row, *more):
        kept = finish(run, row, *more)
        told.extend([seen(row)] * (kept is not None))
        return kept

    monkeypatch.setattr(sending, "save_transfer", saved)
    monkeypatch.setattr(sending, "finish_run", finished)
    monkeypatch.setattr(sending, "call", script.around(sending.call, moves=True))
    monkeypatch.setattr(asking, "call", script.around(asking.call, moves=False))
    started, _ = services.start_run(rule, "one", trigger_kind="daily")
    for _ in range(12):
        services.execute_run(started.pk)
        if RuleRun.objects.get().finished_at is not None:
            break
        let_time_pass()
    return [*told, RuleRun.objects.get().status]


# -- the simulated ones, with the same


class Written(Database):
    """Keeps what is written of transfers."""

    def __init__(self, *args) -> None:
        super().__init__(*args)
        self.told: list[object] = []

    def save_transfer(self, row, after) -> bool:
        kept = super().save_transfer(row, after)
        self.told.append(seen(row))
        return kept


class Scripted(Network):
    """Does as it is told."""

    script: Script

    def fate(self) -> int | None:
        return None if self.reading else self.script.next()

    def call(self, worker, act, **more):
        self.reading = act.__code__.co_varnames == ("some",)
        return super().call(worker, act, **more)


def simulated(rule, fates, monkeypatch) -> list[object]:
    """Return what the simulated services commit, and how the run ended."""
    spec = replace(services.rule_spec(rule), legs=tuple(named(rule)))
    known = Known(
        rule.pk,
        "r",
        spec,
        Legs(KnownLeg(g.account, g.role, g.keep, g.floor, None) for g in spec.legs),
        priority=100,
        plan_ttl_seconds=rule.plan_ttl_seconds,
        max_lateness_seconds=rule.max_lateness_seconds,
        cooldown_seconds=0,
    )
    due = Occurrence(rule.pk, "one", "daily", START, beats=1)
    told = Story(Weather(), Traits(), dict(PLACES), 3000.0, [known], [due])
    monkeypatch.setattr("tests.simulation.play.tell", lambda chance: told)
    monkeypatch.setattr(Scripted, "script", Script(fates), raising=False)
    monkeypatch.setattr(Watch, "end", lambda self: None)
    world = World(1, Parts(rows=Written, network=Scripted), trace=False)
    world.play()
    (run,) = world.rows.runs.values()
    return [*world.rows.told, run.status]


def named(rule) -> Iterator[object]:
    """Yield the legs, their accounts called as the simulated ones are."""
    for spec in services.rule_spec(rule).legs:
        source = spec.role == "source"
        yield replace(spec, account=rule.from_ if source else "p0")


@pytest.mark.parametrize("fates", SCRIPTS)
def test_the_same_is_committed(rule, fates, let_time_pass, monkeypatch):
    expected = really(rule, fates, let_time_pass, monkeypatch)

    assert simulated(rule, fates, monkeypatch) == expected
    assert Transfer.objects.exists()
