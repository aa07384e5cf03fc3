"""The bank's own ledger against what balsync says: who was moved twice, or not at all."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from tests.chaos import soak
from tests.chaos.payroll import Payroll
from tests.chaos.rules import NOT_MOVED, OPEN_RUNS, UNSETTLED, with_waits
from tests.chaos.soak import Tally

INTERVAL = 60.0  # seconds between two runs of a rule that nobody asks for


def judge(payroll: Payroll, tally: Tally) -> None:
    """Compare every transfer with the bank's ledger, and every run with its promise."""
    names = {row["id"]: row["external_id"] for row in payroll.demo.every("/accounts/")}
    moved = soak.by_dedupe_id(payroll.bank.movements())
    known = set()
    for transfer in with_waits(payroll.demo.every("/transfers/", page_size=200)):
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
    if status in UNSETTLED and not transfer["needs_person"]:
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
