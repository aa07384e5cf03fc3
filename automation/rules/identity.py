"""Names that are pure functions of what they name: stable over retries and restores."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple
from functools import lru_cache
from uuid import UUID, uuid5

from .terms import Holding, Leg, Move, RuleSpec

canonical = json.JSONEncoder(
    ensure_ascii=True, check_circular=False, separators=(",", ":")
).encode


def dedupe_id(
    installation: UUID, rule: UUID, occurrence: str, move: int, step: int
) -> UUID:
    """Return the one name of one provider call: the same after any crash or restore."""
    return uuid5(installation, f"{rule}/{occurrence}/{move}/{step}")


def plan_hash(
    rule: RuleSpec,
    moves: Iterable[Move],
    readings: Iterable[Holding],
    spent: Mapping[str, int],
) -> str:
    """Return the SHA-256 of a rule, its moves and the balances they rest on.

    Ages and sources are left out: they change while the plan stays the same.
    """
    said = [
        rule.id,
        rule.kind,
        rule.asset,
        [rule.rest, rule.on_stale, rule.on_short, rule.round_to],
        written(rule.legs),
        [[move.source, move.target, str(move.amount)] for move in moves],
        [[held.account, text(held.available), text(held.goal)] for held in readings],
        sorted([account, str(amount)] for account, amount in spent.items()),
    ]
    return hashlib.sha256(canonical(said).encode()).hexdigest()


@lru_cache(maxsize=4096)
def written(legs: Sequence[Leg]) -> str:
    """Return legs as canonical JSON."""
    rows = [[text(value) for value in astuple(leg)] for leg in legs]
    return canonical(rows)


def text(value: object) -> str | None:
    """Return `value` as JSON carries it: a number as a string."""
    return None if value is None else str(value)
