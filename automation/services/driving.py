"""The transfers of one run, in order, one at a time, for as long as a turn lasts."""

from __future__ import annotations

from functools import partial
from time import monotonic

from automation.machine.run import Renew
from automation.models import RuleRun, Transfer

from .rows import apply, run_step
from .sending import Drive

TURN = 30.0  # seconds: a transfer begun by then ends before the task's time limit


def drive(run: RuleRun, steps: list[Transfer]) -> bool:
    """Take the transfers of `run` further, in order; True if time ended the turn.

    One at a time: the first that stays open ends the turn, except where only a person
    can go on.
    """
    ends = monotonic() + TURN
    for row in iter_open(steps):
        if monotonic() >= ends and not row.begun:
            return True
        turn = Drive(run, row, steps)
        turn.following = partial(after, row, steps, ends)
        if apply(run, Renew()) is None:
            turn.let_go()
            break  # another worker has the run
        turn.go()
        if turn.added is not None:
            steps.append(turn.added)
        if run_step(row, steps).open:
            break
    return False


def after(row: Transfer, steps: list[Transfer], ends: float) -> Transfer | None:
    """Return the transfer to be made after `row`, if the turn does not end before."""
    if monotonic() >= ends:
        return None
    return next((step for step in iter_open(steps) if step is not row), None)


def iter_open(steps: list[Transfer]):
    """Yield what is not settled, in order; also what is added meanwhile."""
    for row in steps:
        if row.settled_at is None and not run_step(row, steps).needs_person:
            yield row
