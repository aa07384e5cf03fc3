"""The usual pattern in the soak: the same bank, queue and faults, and what comes of it."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import psutil
from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from balsync_project import broker
from balsync_project.processes import tree
from balsync_project.processes.child import Child
from balsync_project.processes.ports import free_port
from providers.sandbox import Customer
from providers.sandbox.remote import Remote
from tests.chaos import soak
from tests.chaos.product import method_of
from tests.chaos.soak import Tally
from tests.chaos.stage import ROOT, START_SECONDS, Stage, open_stage

SALARY = 1_000_000_00
EVERY = 0.25  # seconds between two moves
SURE = 3  # orders whose answer is lost for certain: each of them is made again
SETTLE_SECONDS = 60.0  # beyond all retries, and beyond the broker's redelivery
TASK = "tests.chaos.usual.move"


@dataclass
class Wishes:
    """Moves that were asked for, once each. No two are of the same amount."""

    bank: Remote
    customer: Customer
    app: Celery
    asked: list[int] = field(default_factory=list)
    due: float = 0.0

    def ask(self) -> None:
        """Publish the next move; a queue that is away is asked again."""
        amount = 1_00 + len(self.asked)
        ends = (self.customer.account, self.customer.pots[0])
        words = [self.bank.slug, dict(self.customer.credentials), *map(named, ends)]
        with suppress(OperationalError, RedisError, OSError):
            self.app.send_task(TASK, [*words, amount], queue="usual", retry=False)
            self.asked.append(amount)

    def tick(self) -> None:
        if time.monotonic() >= self.due:
            self.due = time.monotonic() + EVERY
            self.ask()


def named(holding: Any) -> dict[str, Any]:
    names = ("external_id", "kind", "parent", "asset")
    return {name: getattr(holding, name) for name in names}


def play(seconds: float, chance: random.Random) -> Tally:
    """Let the usual pattern work for so many seconds while everything breaks."""
    with open_stage() as stage:
        bank = open_bank(stage)
        customer = bank.demo_world()
        bank.pay(customer.account.external_id, SALARY)
        worker = start_worker(stage)
        method = method_of(bank, customer)
        bank.fault("act_then_500", match={"method": method}, times=SURE)
        soak.spoil(bank, method, chance.randrange(10**6))
        wishes, tally = Wishes(bank, customer, queue(stage)), Tally()

        def tick() -> None:
            stage.tick(0.05)
            wishes.tick()

        # On a slow machine the worker may begin when the harm is over.
        until = time.monotonic() + START_SECONDS
        while soak.struck(bank)["act_then_500"] < SURE and time.monotonic() < until:
            tick()
        tally.events = soak.disturb(harm(stage, worker), seconds, tick, chance)
        tally.faults = soak.struck(bank)
        bank.calm()
        judge(wishes, tally, stage)
    return tally


def open_bank(stage: Stage) -> Remote:
    child = tree.sandbox(free_port(), stage.folder / "bank", os.environ)
    stage.start(child)

    def said() -> str:
        return next((line for line in child.lines if line.startswith('{"ready"')), "")

    stage.supervisor.wait_until(lambda: bool(said()), "the bank", START_SECONDS)
    hosts = json.loads(said())
    os.environ["BALSYNC_PROVIDER_URLS"] = json.dumps(hosts["hosts"])
    return soak.find_bank(hosts["ready"])


def start_worker(stage: Stage) -> Child:
    command = [sys.executable, "-m", "celery", "-A", "tests.chaos.usual", "worker"]
    more = ["-Q", "usual", "-c", "2", "-l", "WARNING", "--without-gossip"]
    more += ["--without-mingle"]
    return stage.spawn("worker", *command, *more, PYTHONPATH=str(ROOT), **stage.urls)


def queue(stage: Stage) -> Celery:
    url = broker.celery_url(stage.valkey_url)
    app = Celery("wishes", broker=url, set_as_current=False)
    app.conf.broker_transport_options = {"socket_timeout": 5, "max_retries": 0}
    return app


def harm(stage: Stage, worker: Child) -> dict[str, Callable[[], object]]:
    """Return what is done to it: less than to the product, for it has fewer parts."""

    def kill_child() -> None:
        with suppress(psutil.NoSuchProcess, IndexError):
            psutil.Process(worker.pid).children()[0].kill()

    def kill_worker() -> None:
        if worker.pid:
            os.killpg(worker.pid, signal.SIGKILL)

    return {
        "a worker's child killed": kill_child,
        "the worker killed": kill_worker,
        "Valkey killed": lambda: stage.kill("valkey", signal.SIGKILL),
        "Valkey emptied": stage.flush,
        "Valkey's connections half-open": lambda: stage.silence("valkey"),
    }


def judge(wishes: Wishes, tally: Tally, stage: Stage) -> None:
    """Count how often each amount was moved: once is right."""
    account = wishes.customer.account.external_id

    def moved() -> Counter[int]:
        found = soak.by_dedupe_id(wishes.bank.movements(account))
        return Counter(entry.amount for made in found.values() for entry in made)

    begun = time.monotonic()
    # What is doubled stays so, and is failure enough; what is missing may still come.
    while set(wishes.asked) - (counts := moved()).keys() and not any_doubled(counts):
        if time.monotonic() - begun > SETTLE_SECONDS:
            break
        stage.tick(1)
    tally.drain = time.monotonic() - begun
    tally.legs = len(wishes.asked)
    for amount in wishes.asked:
        if counts[amount] > 1:
            tally.doubled.append(f"{amount} was moved {counts[amount]} times")
        elif not counts[amount] and not any_doubled(counts):
            tally.missing.append(f"{amount} was never moved")
    tally.mismatched += [
        f"{amount} was moved, and nobody asked"
        for amount in counts.keys() - set(wishes.asked)
    ]


def any_doubled(counts: Counter[int]) -> bool:
    return any(times > 1 for times in counts.values())
