"""Paydays under fire: `kill -9` at random moments, then the bank's own ledger is asked.

`python3 manage.py chaos --kills 30` starts a demo, lets salaries arrive, and kills one
of its processes in the middle of each payday. It speaks to it as any client would, and
exits 1 unless every transfer took effect exactly once and every run finished by itself.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

import providers
from providers.base import MovesMoney
from providers.sandbox import registry
from providers.sandbox.remote import Remote
from tests.chaos import control_group, product, soak
from tests.chaos.installation import Demo, running_demo, wait_for
from tests.chaos.rules import NOT_MOVED, OPEN_RUNS, rule_documents

TARGETS = {
    "a worker child": ("worker-automation", "child"),
    "a whole worker": ("worker-automation", "group"),
    "the sync worker": ("worker-sync", "group"),
    "web": ("web", "group"),
    "beat": ("beat", "group"),
    "Valkey": ("valkey", "one"),
    "PostgreSQL": ("postgres", "one"),
}
LATENCY = 0.3  # seconds a bank takes to answer: long enough to be killed in between
PAYDAY_SECONDS = 6.0  # a payday lasts about this long, and is hit within it
FINISH_SECONDS = 150.0
SALARY = 2_000_00


@dataclass
class Report:
    """What was done to the installation, and what came of it."""

    killed: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    runs: Counter[str] = field(default_factory=Counter)
    transfers: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


def main(argv: Sequence[str]) -> int:
    """Do it, print what came of it, and return 0 if nothing did."""
    wish = _parser().parse_args(argv)
    console, chance = Console(), random.Random(wish.seed)
    if wish.minutes is not None or wish.control:
        return soak_for((wish.minutes or 1) * 60, chance, control=wish.control)
    console.print(f"{wish.kills} kills, seed {wish.seed}")
    with tempfile.TemporaryDirectory(prefix="chaos-") as name:
        folder = Path(name)
        with running_demo(folder / "demo", folder / "log") as demo:
            report = play(demo, wish.kills, chance, console)
        if report.faults:
            console.print((folder / "log").read_text()[-4000:], markup=False)
    show(report, console)
    return 1 if report.faults else 0


def soak_for(seconds: float, chance: random.Random, *, control: bool) -> int:
    """Soak the product, or the usual pattern, and return 0 if it came out as it must."""
    tally = (control_group if control else product).play(seconds, chance)
    soak.show(tally, "The usual pattern" if control else "balsync")
    if control:
        soak.CONSOLE.print("It failed, as it must." if tally.failed else "IT HELD")
    return int(tally.failed is not control)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="manage.py chaos", description=__doc__)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--minutes", type=float, help="everything breaks, all the time")
    parser.add_argument(
        "--control", action="store_true", help="the usual pattern instead: it must fail"
    )
    parser.add_argument("--seed", type=int, default=int(time.time()))
    return parser


def play(demo: Demo, kills: int, chance: random.Random, console: Console) -> Report:
    """Let `kills` paydays happen, each with one death, and check the books."""
    bank, report = _bank(demo), Report()
    customer = bank.add_customers(["payday"])[0]
    rules = _write_rules(demo, bank, customer)
    bank.configure(latency=LATENCY)
    targets = _in_turn(kills, chance)
    for number, target in enumerate(targets, 1):
        begun = time.monotonic()
        keys = start_payday(demo, bank, customer, rules, number)
        time.sleep(chance.uniform(0, PAYDAY_SECONDS))
        kill(demo, *TARGETS[target])
        report.killed[target] += 1
        _await_end(demo, keys, report)
        took = time.monotonic() - begun
        report.slowest = max(report.slowest, took)
        console.print(f"{number:3} killed {target}: finished after {took:.1f} s")
    bank.configure(latency=0.0)
    check(demo, bank, report)
    return report


def _in_turn(kills: int, chance: random.Random) -> list[str]:
    """Return what to kill: everything about as often, in random order."""
    names = list(TARGETS)
    chosen = [
        n
        for _ in range(kills // len(names) + 1)
        for n in chance.sample(names, len(names))
    ]
    return chosen[:kills]


def _bank(demo: Demo) -> Remote:
    movers = (s for s in registry.slugs() if issubclass(providers.load(s), MovesMoney))
    return Remote(demo.login["sandbox_url"], next(movers))


def _write_rules(demo: Demo, bank: Remote, customer: Any) -> dict[str, str]:
    """Connect the customer, and write one rule of each kind over its accounts."""
    connection = demo.post(
        "/connections/",
        {
            "provider": bank.slug,
            "label": "payday",
            "credentials": dict(customer.credentials),
        },
    )
    demo.post(f"/connections/{connection['id']}/sync/", {"kind": "manual"})
    wanted = [customer.account, *customer.pots[:4]]
    ids = wait_for(lambda: _account_ids(demo, connection, wanted), "the first sync", 60)
    rules = rule_documents(*ids)
    return {name: demo.post("/rules/", rule)["id"] for name, rule in rules.items()}


def _account_ids(demo: Demo, connection: Any, wanted: Sequence[Any]) -> list[str]:
    rows = demo.every("/accounts/", connection=connection["id"])
    known = {row["external_id"]: row["id"] for row in rows}
    ids = [known.get(holding.external_id, "") for holding in wanted]
    return ids if all(ids) else []


def start_payday(
    demo: Demo, bank: Remote, customer: Any, rules: dict[str, str], number: int
) -> list[str]:
    """Pay a salary in and ask for every rule; return the ids of the runs."""
    bank.pay(customer.account.external_id, SALARY, description="Salary")
    started = [
        demo.post(f"/rules/{rule}/runs/", key=f"payday-{number}-{name}")
        for name, rule in rules.items()
    ]
    return [run["id"] for run in started]


def kill(demo: Demo, part: str, how: str) -> None:
    """Send SIGKILL to one process of a part, its child, or all of them."""
    with suppress(psutil.NoSuchProcess, ProcessLookupError, KeyError):
        top = psutil.Process(demo.pids()[part])
        children = top.children(recursive=True)
        if how == "child" and children:
            random.choice(children).kill()
        elif how == "group":
            os.killpg(top.pid, signal.SIGKILL)
        else:
            top.kill()


def _await_end(demo: Demo, runs: list[str], report: Report) -> None:
    def ended() -> bool:
        return all(demo.get(f"/runs/{run}/")["status"] not in OPEN_RUNS for run in runs)

    try:
        wait_for(ended, "runs to finish", FINISH_SECONDS)
    except TimeoutError as error:
        report.faults.append(str(error))


def check(demo: Demo, bank: Remote, report: Report) -> None:
    """Compare every transfer with the bank's ledger, and every run with its promise."""
    moved = Counter[str]()
    amounts: dict[str, int] = {}
    for entry in bank.movements():
        if entry.dedupe_id:
            moved[entry.dedupe_id] += 1
            amounts[entry.dedupe_id] = entry.amount
    known = set()
    for transfer in demo.every("/transfers/"):
        known.add(transfer["dedupe_id"])
        report.transfers[transfer["status"]] += 1
        report.faults += _judge(transfer, moved, amounts)
    report.faults += [
        f"{name}: moved, and nobody planned it" for name in moved.keys() - known
    ]
    for run in demo.every("/runs/"):
        report.runs[run["status"]] += 1
        if run["status"] in OPEN_RUNS:
            report.faults.append(f"run {run['id']} is still {run['status']}")


def _judge(
    transfer: dict[str, Any], moved: Counter[str], amounts: dict[str, int]
) -> list[str]:
    name, times = transfer["dedupe_id"], moved[transfer["dedupe_id"]]
    said = f"{name} is {transfer['status']} and took effect {times} times"
    if transfer["status"] == "done":
        wrong = times == 1 and amounts[name] != int(transfer["money"]["minor"])
        return [f"{name} moved {amounts[name]}"] if wrong else [said] * (times != 1)
    if transfer["status"] in NOT_MOVED:
        return [said] * (times != 0)
    return [f"{said}, and is not settled"]


def show(report: Report, console: Console) -> None:
    """Print what was killed, what moved, and everything that is not as promised."""
    table = Table("killed", "times", title="Paydays under fire")
    for name, times in report.killed.items():
        table.add_row(name, str(times))
    console.print(table)
    console.print(f"runs       {dict(report.runs)}")
    console.print(
        f"transfers  {dict(report.transfers)}; slowest payday {report.slowest:.1f} s"
    )
    for fault in report.faults:
        console.print(f"[red]{fault}[/]")
    verdict = "FAILED" if report.faults else "every transfer took effect exactly once"
    console.print(f"{sum(report.killed.values())} kills: {verdict}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
