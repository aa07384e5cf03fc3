"""The simulated services commit what the real ones commit, in the same order."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from django.utils.timezone import now

from accounts.models import Balance
from automation import services
from automation.models import RuleRun, Transfer
from automation.services import asking, relay, sending, together
from providers.errors import OutcomeUnknown, ProviderError, RateLimited, Unavailable
from tests.simulation.bank import Traits
from tests.simulation.database import Database
from tests.simulation.network import CUT, LIMITED, LOST, UNREACHABLE, Network
from tests.simulation.play import Parts, World
from tests.simulation.stage import START, Stage, Weather
from tests.simulation.story import Known, KnownLeg, Occurrence, Story
from tests.simulation.street import Street
from tests.simulation.watch import Watch

from .conftest import Person, gbp, leg

pytestmark = pytest.mark.django_db
FATES = (None, UNREACHABLE, LIMITED, LOST, CUT)
SCRIPTS = [*product(FATES, repeat=2), (CUT, CUT, LOST, None), (LOST, LOST, LOST, LOST)]
TOLD = ("step", "status", "attempts", "may_have_moved", "needs_person", "error_code")
PLACES = {"main": 1000_00, "p0": 0, "p1": 200_00, "p2": 0}


def seen(row) -> tuple[object, ...]:
    return tuple(getattr(row, name) for name in TOLD)


def topped_up(person, from_):
    """Bring the first pot up to 150.00, from the account or from another pot."""
    accounts = filled(person)
    made = person.rule(
        "topup",
        leg(accounts[from_], "source"),
        leg(accounts["p0"], "target", strategy="to_target", target=gbp(150_00)),
    )
    return named(made, accounts)


def sorted_out(person):
    """Share what the account holds between all pots: one transfer after the other."""
    accounts = filled(person)
    pots = [
        leg(
            accounts[f"p{order}"], "bills", order=order, strategy="fixed", amount=gbp(n)
        )
        for order, n in enumerate((60_00, 70_00, 80_00))
    ]
    made = person.rule("autosort", leg(accounts["main"], "source"), *pots)
    return named(made, accounts)


def filled(person):
    """Let accounts hold what they do in the simulation, and return them by that name."""
    accounts = {"main": person.main}
    accounts |= {f"p{number}": pot for number, pot in enumerate(person.pots)}
    for name, amount in PLACES.items():
        person.fill(accounts[name], amount)
    return accounts


def named(rule, accounts):
    rule.names = {str(account.pk): name for name, account in accounts.items()}
    rule.owner = accounts["main"].connection_id
    return rule


@pytest.fixture(params=["main", "p1", "all"])
def rule(alice, request):
    if request.param == "all":
        return sorted_out(alice)
    return topped_up(alice, request.param)


@pytest.fixture(params=["main", "p1"])
def rules(alice, bank, workspace, request):
    """Two people's rules, whose runs go side by side."""
    bert = Person(bank, workspace, "bert")
    return [topped_up(alice, "main"), topped_up(bert, request.param)]


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


class Real:
    """The real services: what they commit, and a script for each connection."""

    def __init__(self, scripts: dict[object, Script], patch) -> None:
        self.scripts = scripts
        self.told: dict[object, list[object]] = {owner: [] for owner in scripts}
        patch.setattr(sending, "save_transfer", self.around(sending.save_transfer))
        patch.setattr(sending, "finish_run", self.around(sending.finish_run, 1))
        patch.setattr(relay.Relay, "__call__", self.relayed(relay.Relay.__call__))
        patch.setattr(together, "end_all", self.ending(together.end_all))
        patch.setattr(sending, "call", self.scripted(sending.call, moves=True))
        patch.setattr(asking, "call", self.scripted(asking.call, moves=False))
        patch.setattr(together, "call_each", self.call_each)

    def note(self, row) -> None:
        self.told[row.source.connection_id].append(seen(row))

    def around(self, write, place=0):
        def written(*rows, **more):
            kept = write(*rows, **more)
            if kept is not None:
                self.note(rows[place])
            return kept

        return written

    def relayed(self, write):
        def relayed(baton, after, told):
            kept = write(baton, after, told)
            if kept is not None:
                self.note(baton.row)
                if baton.following.begun:
                    self.note(baton.following)
            return kept

        return relayed

    def ending(self, end_all):
        def ended(ends):
            over = end_all(ends)
            for turn, _ in ends:
                self.note(turn.row)
            return over

        return ended

    def scripted(self, call, *, moves):
        def by_script(connection, make):
            script = self.scripts[connection.pk]
            return script.around(call, moves=moves)(connection, make)

        return by_script

    def call_each(self, orders):
        answers = []
        for order in orders:
            try:
                answers.append(sending.call(*order))
            except ProviderError as error:
                answers.append(error)
        yield list(enumerate(answers))


def really(rules, fates, let_time_pass, monkeypatch) -> list[list[object]]:
    """Return what the services commit for each of `rules`, and how its run ended."""
    scripts = {r.owner: Script(f) for r, f in zip(rules, fates, strict=True)}
    real = Real(scripts, monkeypatch)
    runs = [services.start_run(r, "one", trigger_kind="daily")[0] for r in rules]
    if len(runs) > 1:
        rested = list(services.execute_runs([run.pk for run in runs]))
        assert {run.pk for each in rested for run in each.done} == {r.pk for r in runs}
        assert not any(each.failed for each in rested)
    for _ in range(12):
        for run in RuleRun.objects.unfinished():
            services.execute_run(run.pk)
        let_time_pass()
        Balance.objects.update(fetched_at=now() - timedelta(minutes=1))
    ends = [RuleRun.objects.get(pk=run.pk).status for run in runs]
    return [[*real.told[r.owner], end] for r, end in zip(rules, ends, strict=True)]


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


def simulated(rules, fates, monkeypatch) -> list[list[object]]:
    """Return what the simulated services commit for each rule, and how its run ended."""
    monkeypatch.setattr(Watch, "end", lambda self: None)
    parts = Parts(rows=Written, network=Scripted)
    stage = Stage(random.Random(1), Weather(), trace=True)
    stories = [story(rule) for rule in rules]
    if len(rules) > 1:
        play: Any = Street(stage, stories, parts)
        worlds = play.worlds
    else:
        play = World(stage, stories[0], parts)
        worlds = [play]
    for world, script in zip(worlds, fates, strict=True):
        world.network.script = Script(script)
    play.play()
    abreast = ("planned together", len(rules)) in [line[1:] for line in stage.trace]
    assert abreast == (len(rules) > 1)
    return [committed(world) for world in worlds]


def committed(world) -> list[object]:
    (run,) = world.rows.runs.values()
    return [*world.rows.told, run.status]


def story(rule) -> Story:
    """Return the story in which `rule` is due once, and nothing goes wrong by itself."""
    spec = services.rule_spec(rule)
    legs = tuple(replace(each, account=rule.names[each.account]) for each in spec.legs)
    spec = replace(spec, legs=legs)
    known = Known(
        rule.pk,
        "r",
        spec,
        tuple(KnownLeg(g.account, g.role, g.keep, g.floor, None) for g in spec.legs),
        priority=100,
        plan_ttl_seconds=rule.plan_ttl_seconds,
        max_lateness_seconds=rule.max_lateness_seconds,
        cooldown_seconds=0,
    )
    due = Occurrence(rule.pk, "one", "daily", START, beats=1)
    return Story(Weather(), Traits(), dict(PLACES), 3000.0, [known], [due])


@pytest.mark.parametrize("fates", SCRIPTS)
def test_the_same_is_committed(rule, fates, let_time_pass, monkeypatch):
    expected = really([rule], [fates], let_time_pass, monkeypatch)

    assert simulated([rule], [fates], monkeypatch) == expected
    assert Transfer.objects.exists()


@pytest.mark.parametrize("first", FATES)
@pytest.mark.parametrize("second", FATES)
def test_the_same_is_committed_side_by_side(
    rules, first, second, let_time_pass, monkeypatch
):
    fates = (first, None, LOST), (second, CUT)
    expected = really(rules, fates, let_time_pass, monkeypatch)

    assert simulated(rules, fates, monkeypatch) == expected
    assert Transfer.objects.count() >= 2
