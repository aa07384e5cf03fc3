"""balsync in the soak: a demo on servers that can be hurt, and paydays without an end."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import psutil

import providers
from providers.base import Place
from providers.money import Asset
from providers.sandbox import Customer
from providers.sandbox.remote import Remote
from tests.chaos import soak
from tests.chaos.installation import Demo, running_demo, wait_for
from tests.chaos.rules import NOT_MOVED, OPEN_RUNS, rule_documents
from tests.chaos.soak import Tally
from tests.chaos.stage import ROOT, Stage, open_stage

SALARY = 2_000_00
WORKER = "worker-automation"
PAUSE_SECONDS = (4.0, 12.0)  # for which a worker stands still
KEEP_ALIVE = 20.0  # seconds until a kernel gives a silent connection up
CLOCK = (-90, 90)  # seconds by which the bank's clock steps
UNSETTLED = ("pending", "sending", "unknown")
PERSON_SECONDS = 100.0  # after which what waits for a person is left to one
INTERVAL = 60.0  # seconds between two runs of a rule that nobody asks for


@dataclass
class Payroll:
    """Customers with three rules each, to whom one payday after the other comes."""

    demo: Demo
    bank: Remote
    customers: list[Customer] = field(default_factory=list)
    rules: list[dict[str, str]] = field(default_factory=list)
    open: list[set[str]] = field(default_factory=list)  # runs, by customer
    asked: dict[str, str] = field(default_factory=dict)  # run → its key
    paydays: int = 0
    begun: float = 0.0

    def hire(self, count: int) -> None:
        """Connect so many customers, and write their rules."""
        names = [f"customer {number}" for number in range(count)]
        self.customers = self.bank.add_customers(names)
        for customer in self.customers:
            connection = self.demo.post(
                "/connections/",
                {
                    "provider": self.bank.slug,
                    "label": customer.name,
                    "credentials": dict(customer.credentials),
                },
            )
            self.demo.post(f"/connections/{connection['id']}/sync/", {"kind": "manual"})
            self.rules.append(self._write_rules(connection, customer))
            self.open.append(set())
        self.begun = time.monotonic()

    def _write_rules(self, connection: Any, customer: Customer) -> dict[str, str]:
        wanted = [customer.account, *customer.pots[:4]]

        def ids() -> list[str]:
            rows = self.demo.every("/accounts/", connection=connection["id"])
            known = {row["external_id"]: row["id"] for row in rows}
            found = [known.get(holding.external_id, "") for holding in wanted]
            return found if all(found) else []

        rules = rule_documents(*wait_for(ids, "the first sync", 60))
        # Two beats look at this one: each minute has one run, whoever finds it.
        rules["topup"]["triggers"] = [
            {"kind": "api"},
            {"kind": "interval", "minutes": 1},
        ]
        return {n: self.demo.post("/rules/", rule)["id"] for n, rule in rules.items()}

    def look(self, index: int) -> bool:
        """Ask how far a customer's payday is, and say whether it is over."""
        runs = self.open[index]
        for run in list(runs):
            if self.demo.get(f"/runs/{run}/")["status"] not in OPEN_RUNS:
                runs.discard(run)
        return not runs

    def pay(self, index: int) -> None:
        """Pay a salary in and ask for every rule, once each, however often we repeat."""
        self.paydays += 1
        account = self.customers[index].account
        self.bank.pay(account.external_id, SALARY, description="Salary")
        for name, rule in self.rules[index].items():
            key = f"payday {self.paydays} {name}"
            run = self.demo.post(f"/rules/{rule}/runs/", key=key)
            self.asked[run["id"]] = key
            self.open[index].add(run["id"])


def play(seconds: float, chance: random.Random) -> Tally:
    """Break everything for so many seconds, wait, and judge."""
    with open_stage() as stage:
        folder, log = stage.folder / "demo", stage.folder / "demo.log"
        words = ["--concurrency", "2", "--quiet"]
        with running_demo(folder, log, words, **stage.urls) as demo:
            demo = replace(demo, pause=stage.tick, timeout=8)
            tally = _play(stage, demo, seconds, chance)
            if tally.failed:
                print(log.read_text(errors="replace")[-6000:])
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
    tally.drain = soak.drain(Rest(turns).has_come, tick)
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
        for_people = time.monotonic() - self.begun > PERSON_SECONDS
        return all(t["needs_person"] and for_people for t in left)


@dataclass
class Harm:
    """Everything that is done to one installation."""

    stage: Stage
    demo: Demo
    bank: Remote
    chance: random.Random
    later: list[tuple[float, Callable[[], object]]] = field(default_factory=list)

    def events(self) -> dict[str, Callable[[], object]]:
        stage = self.stage
        return {
            "a worker's child killed": self.kill_child,
            "the worker killed": lambda: self.signal(WORKER, signal.SIGKILL),
            "the worker told to stop, then killed": self.stop_then_kill,
            "the worker standing still": self.pause,
            "the sync worker killed": lambda: self.signal(
                "worker-sync", signal.SIGKILL
            ),
            "web killed": lambda: self.signal("web", signal.SIGKILL),
            "a beat killed": lambda: self.signal("beat", signal.SIGKILL),
            "Valkey killed": lambda: stage.kill("valkey", signal.SIGKILL),
            "Valkey emptied": stage.flush,
            "Valkey's connections half-open": lambda: stage.silence("valkey"),
            "PostgreSQL restarted at once": lambda: stage.kill(
                "postgres", signal.SIGQUIT
            ),
            "PostgreSQL's connections half-open": lambda: stage.silence(
                "postgres", KEEP_ALIVE
            ),
            "the bank's clock moved": lambda: self.bank.advance(
                self.chance.uniform(*CLOCK)
            ),
        }

    def signal(self, part: str, number: signal.Signals) -> int | None:
        """Send a signal to a part and its children; return the group that got it."""
        group = self.demo.pids().get(part)
        if group is not None:
            with suppress(ProcessLookupError):
                os.killpg(group, number)
        return group

    def kill_child(self) -> None:
        with suppress(psutil.NoSuchProcess, KeyError, IndexError):
            worker = psutil.Process(self.demo.pids()[WORKER])
            self.chance.choice(worker.children()).kill()

    def stop_then_kill(self) -> None:
        if group := self.signal(WORKER, signal.SIGTERM):
            self._soon(1.5, lambda: self._kill(group, signal.SIGKILL))

    def pause(self) -> None:
        if group := self.signal(WORKER, signal.SIGSTOP):
            seconds = self.chance.uniform(*PAUSE_SECONDS)
            self._soon(seconds, lambda: self._kill(group, signal.SIGCONT))

    def _kill(self, group: int, number: signal.Signals) -> None:
        if group == self.demo.pids().get(WORKER):
            self.signal(WORKER, number)

    def _soon(self, seconds: float, act: Callable[[], object]) -> None:
        self.later.append((time.monotonic() + seconds, act))

    def finish_what_is_due(self, *, everything: bool = False) -> None:
        """Do the second half of what was begun: go on after a pause, kill after TERM."""
        now = time.monotonic()
        due = [act for at, act in self.later if everything or at <= now]
        self.later = [
            (at, act) for at, act in self.later if not everything and at > now
        ]
        for act in due:
            act()


# -- the judge


def judge(payroll: Payroll, tally: Tally) -> None:
    """Compare every transfer with the bank's ledger, and every run with its promise."""
    names = {row["id"]: row["external_id"] for row in payroll.demo.every("/accounts/")}
    moved = soak.by_dedupe_id(payroll.bank.movements())
    known = set()
    for transfer in payroll.demo.every("/transfers/", page_size=200):
        known.add(transfer["dedupe_id"])
        tally.legs += 1
        tally.transfers[said_of(transfer)] += 1
        weigh(transfer, moved.get(transfer["dedupe_id"], []), names, tally)
    tally.mismatched += [f"{name}: nobody planned it" for name in moved.keys() - known]
    judge_runs(payroll, tally)


def said_of(transfer: dict[str, Any]) -> str:
    waits = " and waiting for a person" if transfer["needs_person"] else ""
    return transfer["status"] + waits


def weigh(transfer: dict[str, Any], made, names: dict[str, str], tally: Tally) -> None:
    """Judge one transfer by what the bank made of it."""
    status, said = transfer["status"], f"{transfer['dedupe_id']} is {said_of(transfer)}"
    if len(made) > 1:
        tally.doubled.append(f"{said} and took effect {len(made)} times")
    if status == "done" and not made:
        tally.missing.append(f"{said} and never took effect")
    if status in NOT_MOVED and made:
        tally.mismatched.append(f"{said} and took effect")
    if status in {"pending", "sending"}:
        tally.missing.append(f"{said}, and is not settled: {transfer['error']}")
    if status == "unknown" and not transfer["needs_person"]:
        tally.missing.append(f"{said}, and is not settled: {transfer['error']}")
    ours = names[transfer["source"]], names[transfer["target"]]
    amount = int(transfer["money"]["minor"])
    tally.mismatched += [
        f"{said}: {ours} {amount}, and the bank moved {entry}"
        for entry in made
        if (entry.source, entry.target, entry.amount) != (*ours, amount)
    ]


def judge_runs(payroll: Payroll, tally: Tally) -> None:
    """Every run that was asked for is there and over, and no minute has two."""
    missing, by_itself = dict(payroll.asked), Counter[str]()
    for run in payroll.demo.every("/runs/", page_size=200):
        missing.pop(run["id"], None)
        tally.runs[run["status"]] += 1
        if run["trigger"] == "interval":
            by_itself[run["rule"]] += 1
        if run["status"] in OPEN_RUNS:
            tally.missing.append(f"run {run['key']} is still {run['status']}")
    tally.missing += [
        f"run {key} was asked for and forgotten" for key in missing.values()
    ]
    most = (time.monotonic() - payroll.begun) / INTERVAL + 2
    tally.doubled += [
        f"rule {rule} ran {times} times by itself, in {most:.0f} minutes"
        for rule, times in by_itself.items()
        if times > most
    ]
