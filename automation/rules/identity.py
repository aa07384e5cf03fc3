"""Names that are pure functions of what they name: stable over retries and restores."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from decimal import Decimal
from operator import attrgetter
from typing import Any
from uuid import UUID, uuid5

from .terms import Holding, Leg, Move, RuleSpec

ENCODE = json.JSONEncoder(separators=(",", ":")).encode
# `astuple` copies each value; those of a leg never change.
SAID = attrgetter(*(column.name for column in fields(Leg)))
RETRY = "retry:"
LONGEST_KEY = 200


def dedupe_id(
    installation: UUID, rule: UUID, occurrence: str, move: int, step: int
) -> UUID:
    """Return the one name of one provider call: the same after any crash or restore."""
    return uuid5(installation, f"{rule}/{occurrence}/{move}/{step}")


def retry_key(occurrence: str) -> str:
    """Return the key of the one run that tries again what this occurrence left short."""
    told = f"{RETRY}{occurrence}"
    return told if len(told) <= LONGEST_KEY else RETRY + digest(occurrence)


def digest(key: str) -> str:
    """Return a short name of a key that does not fit."""
    return "sha256:" + hashlib.sha256(key.encode()).hexdigest()


def as_uuid(text: object) -> UUID | None:
    """Return what `text` names, if it is a text and the name of anything."""
    try:
        return UUID(text) if isinstance(text, str) else None
    except ValueError:
        return None


def plan_hash(
    terms: str,
    moves: Iterable[Move],
    readings: Sequence[Holding],
    spent: Mapping[str, int],
    more: str = "",
) -> str:
    """Return the SHA-256 of a rule's `terms`, its moves and the balances they rest on.

    Ages and sources are left out: they change while the plan stays the same. `more` are
    other facts it rests on, see `besides`.
    """
    # Written by hand for speed: all that varies are numbers, and accounts are those of
    # the legs, so they are told by their place.
    place = {held.account: index for index, held in enumerate(readings)}
    said = [
        f"[{place[move.source]},{place[move.target]},{move.amount}]" for move in moves
    ]
    told = spent.get
    known = [f"[{h.available},{h.goal},{told(h.account)}]" for h in readings]
    held = ",".join(known).replace("None", "null")
    whole = f"[{terms},[{','.join(said)}],[{held}]{more}]"
    return hashlib.sha256(whole.encode()).hexdigest()


def besides(
    readings: Iterable[Holding],
    payments: Mapping[str, Iterable[int]],
    owed: Mapping[str, int],
) -> str:
    """Return as JSON what accounts that are no legs hold, and what was paid by card."""
    held = [[r.account, number(r.available), number(r.total)] for r in readings]
    paid = [[account, str(sum(payments[account]))] for account in sorted(payments)]
    left = [[account, str(owed[account])] for account in sorted(owed) if owed[account]]
    return "," + ENCODE([held, paid, left] if left else [held, paid])


def written(rule: RuleSpec) -> str:
    """Return what a rule says as canonical JSON, its name and schedule aside."""
    policy = [rule.rest, rule.on_stale, rule.on_short, rule.round_to]
    legs = [[v if v is None else word(v) for v in words(leg)] for leg in rule.legs]
    said = [rule.id, rule.kind, rule.asset, policy, legs]
    # What a rule does not say is left out, so that it keeps the hash it always had.
    if rule.conditions or rule.pay_cycle:
        said.append([rule.timezone, spoken(rule.conditions), spoken(rule.pay_cycle)])
    return ENCODE(said)


def spoken(part: Any) -> Any:
    """Return in JSON's words what nested terms say, blanks left out."""
    if isinstance(part, tuple):
        return [spoken(each) for each in part]
    if not is_dataclass(part):
        return word(part)
    told = {f.name: (getattr(part, f.name), f.default) for f in fields(part)}
    return {
        name: spoken(value) for name, (value, blank) in told.items() if value != blank
    }


def words(leg: Leg) -> tuple[object, ...]:
    """Return what a leg says; one that names its account says nothing of others."""
    said = SAID(leg)
    return said if leg.accounts else said[:-1]


def word(value: object) -> str | None:
    """Return a value of a leg as text; equal values read alike."""
    if type(value) is str or value is None:
        return value
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    return str(value)


def number(value: int | None) -> str:
    """Return an integer in JSON."""
    return "null" if value is None else str(value)
