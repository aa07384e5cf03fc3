"""Plans in JSON's words, and what happened to them since, step by step."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from accounts.moneyjson import money
from automation.machine.run import BEFORE, Move, Moves, RunState, Status
from automation.models import RuleRun
from automation.rules import Holding, Plan, Step
from automation.rules import Move as PlannedMove
from providers.money import Asset, parse_minor, pretty

# Steps of a trace that no planner wrote: they outlive a new plan.
LIFE = frozenset(
    {"asked", "announced", "approved", "cancelled", "resumed", "missed", "quarantined"}
)


def plan_data(decided: Plan) -> dict[str, Any]:
    """Return a plan in JSON's words: money as objects of strings."""
    assets = {held.account: held.asset for held in decided.readings}
    told = [assets[move.source] for move in decided.moves if move.source in assets]
    asset = next(iter([*told, *assets.values()]), "")  # one rule moves one asset
    return {
        "plan_hash": decided.plan_hash,
        "outcome": decided.outcome,
        "reason": decided.reason,
        "readings": [reading(held) for held in decided.readings],
        "moves": told_moves(decided.moves, asset),
        "trace": list(trace(decided.trace, asset)),
    }


def reading(held: Holding) -> dict[str, Any]:
    known = held.available is not None
    return {
        "account": held.account,
        "available": money(held.available, held.asset) if known else None,
        "as_of": held.as_of.isoformat() if held.as_of else None,
        "age_seconds": held.age_seconds,
        "source": held.source,
    }


def trace(steps: Iterable[Step], asset: str):
    for step in steps:
        known = step.amount is not None
        yield {
            "step": step.step,
            "account": step.account,
            "text": step.text,
            "amount": money(step.amount, asset) if known else None,
        }


def moves_of(run: RuleRun) -> Moves:
    """Return the moves that `run` keeps, in minor units."""
    return tuple(
        Move(move["source"], move["target"], parse_minor(move["money"]["minor"]))
        for move in run.moves
    )


def told_moves(moves: Iterable[Move | PlannedMove], asset: str) -> list[dict[str, Any]]:
    """Return moves in JSON's words, as a run keeps them."""
    return [
        {"source": m.source, "target": m.target, "money": money(m.amount, asset)}
        for m in moves
    ]


def note(step: str, text: str) -> dict[str, Any]:
    """Return one step of a trace that is about the run, not about an account."""
    return {"step": step, "account": None, "text": text, "amount": None}


def life(trace: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what happened to a run, without what was planned for it."""
    return [step for step in trace if step["step"] in LIFE]


def difference(
    seen: Moves, now: Sequence[Move], names: dict[str, str], asset: str
) -> str:
    """Say how one plan differs from another, move by move."""
    unit = Asset.parse(asset)
    before = {(m.source, m.target): m.amount for m in seen}
    after = {(m.source, m.target): m.amount for m in now}
    said = [
        f"{names.get(source, source)} → {names.get(target, target)}: "
        f"{pretty(after.get((source, target), 0), unit)} instead of "
        f"{pretty(before.get((source, target), 0), unit)}"
        for source, target in dict.fromkeys([*before, *after])
        if before.get((source, target)) != after.get((source, target))
    ]
    return "; ".join(said) or "the same moves in another order"


def happened(
    before: RunState, after: RunState, *, planned: bool
) -> list[dict[str, Any]]:
    """Return what is to be noted besides the plan: who is waited for, why it ended.

    `planned`: a plan that says why nothing moves is noted along with this.
    """
    if (
        after.status == Status.AWAITING_APPROVAL
        and after.planned_at != before.planned_at
    ):
        return [note("asked", f"A person must approve it: {after.reason}")]
    if after.status == Status.NOTIFIED and after.notice_until != before.notice_until:
        until = f"{after.notice_until:%Y-%m-%d %H:%M:%S} UTC"
        return [note("announced", f"May be cancelled until {until}: {after.reason}")]
    if before.status not in BEFORE or not after.finished:
        return []
    if planned and after.status not in LIFE:
        return []
    return [note(after.status.removeprefix("skipped_"), after.reason)]
