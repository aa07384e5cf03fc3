"""balsync in the soak: a demo on servers that can be hurt, and paydays without an end."""

from __future__ import annotations

import random
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import providers
from providers.base import Place
from providers.money import Asset
from providers.sandbox import Customer
from providers.sandbox.remote import Remote
from tests.chaos import soak
from tests.chaos.harm import Harm
from tests.chaos.installation import Demo, running_demo
from tests.chaos.judge import judge
from tests.chaos.payroll import Payroll
from tests.chaos.rules import OPEN_RUNS, UNSETTLED, with_waits
from tests.chaos.soak import Tally
from tests.chaos.stage import ROOT, Stage, open_stage

PERSON_SECONDS = 100.0  # at most, until what waits for a person is left to one


def play(seconds: float, chance: random.Random) -> Tally:
    """Break everything for so many seconds, wait, and judge."""
    with open_stage() as stage:
        folder, log = stage.folder / "demo", stage.folder / "demo.log"
        with running_demo(folder, log, ["--concurrency", "2"], **stage.urls) as demo:
            demo = replace(demo, pause=stage.tick, timeout=8)
            tally = _play(stage, demo, seconds, chance)
        if tally.failed:
            tally.log = shutil.copy(log, Path(tempfile.mkdtemp()) / "chaos.log")
    return tally


def _play(stage: Stage, demo: Demo, seconds: float, chance: random.Random) -> Tally:
    bank = soak.find_bank(demo.login["sandbox_url"])
    payroll, tally = Payroll(demo, bank), Tally()
    payroll.hire(soak.CUSTOMERS)
    second_beat(stage, demo)
    bank.configure(latency=soak.LATENCY)
    soak.spoil(bank, method_of(bank, payroll.customers[0]), chance.randrange(10**6))
    harm, turns = Harm(stage, demo, bank, chance), Turns(payroll)

    def tick() -> None:
        stage.tick()
        harm.finish_what_is_due()
        turns.next()

    tally.events = soak.disturb(harm.events(), seconds, tick, chance)
    harm.finish_what_is_due(everything=True)
    tally.faults = soak.struck(bank)
    bank.calm()
    turns.paying = False
    tally.drain = soak.drain(
        Rest(turns, min(PERSON_SECONDS, seconds / 2)).has_come, tick
    )
    judge(payroll, tally)
    return tally


def second_beat(stage: Stage, demo: Demo) -> None:
    """Start another beat beside the demo's own."""
    command = [sys.executable, "-m", "celery", "-A", "balsync_project", "beat"]
    stage.spawn(
        "second beat",
        *command,
        *("-l", "WARNING", "--pidfile="),
        PYTHONPATH=str(ROOT),
        DJANGO_SETTINGS_MODULE="balsync_project.settings",
        BALSYNC_ENV_FILE=str(demo.folder / "environment"),
    )


def method_of(bank: Remote, customer: Customer) -> str:
    """Return by which method this bank is told to move money."""
    adapter = providers.load(bank.slug)(customer.credentials)
    ends = [
        Place(h.external_id, h.kind, h.parent, Asset.parse(h.asset))
        for h in (customer.account, customer.pots[0])
    ]
    return next(adapter.transfer(*ends, 1, dedupe_id="any")).method


class Turns:
    """Looks after one customer at a time; whose payday is over gets the next."""

    def __init__(self, payroll: Payroll) -> None:
        self.payroll, self.paying, self.at = payroll, True, 0

    def next(self) -> None:
        self.at = (self.at + 1) % len(self.payroll.customers)
        if self.payroll.look(self.at) and self.paying:
            self.payroll.pay(self.at)

    @property
    def over(self) -> bool:
        return not any(self.payroll.open)


@dataclass
class Rest:
    """Says when nothing is open any more, whoever asked for it."""

    turns: Turns
    patience: float  # seconds for what waits for a person
    begun: float = field(default_factory=time.monotonic)
    next: float = 0.0

    def has_come(self) -> bool:
        if not self.turns.over or time.monotonic() < self.next:
            return False
        self.next = time.monotonic() + 1
        demo = self.turns.payroll.demo
        if any(demo.get("/runs/", status=s, page_size=1)["results"] for s in OPEN_RUNS):
            return False
        left = [t for s in UNSETTLED for t in demo.every("/transfers/", status=s)]
        # The bank is asked once more about what waits for a person: that has its time.
        for_people = time.monotonic() - self.begun > self.patience
        return all(t["needs_person"] and for_people for t in with_waits(left))
