"""Names that are pure functions of what they name: stable over retries and restores."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple
from decimal import Decimal
from uuid import UUID, uuid5

from .terms import Holding, Move, RuleSpec


def dedupe_id(
    installation: UUID, rule: UUID, occurrence: str, move: int, step: int
) -> UUID:
    """Return the one name of one provider call: the same after any crash or restore."""
    return uuid5(installation, f"{rule}/{occurrence}/{move}/{step}")


def plan_hash(
    terms: str,
    moves: Iterable[Move],
    readings: Sequence[Holding],
    spent: Mapping[str, int],
) -> str:
    """Return the SHA-256 of a rule's `terms`, its moves and the balances they rest on.

    Ages and sources are left out: they change while the plan stays the same.
    """
    # Written by hand for speed: all that varies are numbers, and accounts are those of
    # the legs, so they are told by their place.
    place = {held.account: index for index, held in enumerate(readings)}
    said = [
        f"[{place[move.source]},{place[move.target]},{move.amount}]" for move in moves
    ]
    known = [
        f"[{number(held.available)},{number(held.goal)},{number(spent.get(held.account))}]"
        for held in readings
    ]
    whole = f"[{terms},[{','.join(said)}],[{','.join(known)}]]"
    return hashlib.sha256(whole.encode()).hexdigest()


def written(rule: RuleSpec) -> str:
    """Return what a rule says as canonical JSON, its name and schedule aside."""
    policy = [rule.rest, rule.on_stale, rule.on_short, rule.round_to]
    legs = [[word(value) for value in astuple(leg)] for leg in rule.legs]
    said = [rule.id, rule.kind, rule.asset, policy, legs]
    return json.dumps(said, ensure_ascii=True, separators=(",", ":"))


def word(value: object) -> str | None:
    """Return a value of a leg as text; equal values read alike."""
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    return None if value is None else str(value)


def number(value: int | None) -> str:
    """Return an integer in JSON."""
    return "null" if value is None else str(value)
