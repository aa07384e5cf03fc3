"""Limits trim what a planner wants; whatever they cut stays at the source."""

from __future__ import annotations

from .draft import Draft
from .terms import Limits, Move

BOUNDLESS = Limits()
NAMES = {
    "per_run": "The limit of a run",
    "per_day": "The limit of a day",
    "per_rule": "The limit of this rule's lifetime",
}


def trim(draft: Draft) -> tuple[Move, ...]:
    """Return the moves that limits, rounding and the smallest move leave, in order."""
    bound = draft.rule.round_to or draft.rule.limits != BOUNDLESS
    if not bound and not any(least for _, least in draft.wants):
        return tuple([want for want, _ in draft.wants])
    left = budget(draft)
    moves = []
    for want, least in draft.wants:
        amount = trimmed(draft, want, left)
        amount = big_enough(draft, want, amount, least)
        if amount:
            whole = amount == want.amount
            moves.append(want if whole else Move(want.source, want.target, amount))
            for limit in left:
                left[limit] -= amount
    return tuple(moves)


def budget(draft: Draft) -> dict[str, int]:
    """Return what each limit of the rule still allows."""
    limits, left = draft.rule.limits, {}
    if limits.per_run is not None:
        left["per_run"] = max(0, limits.per_run - draft.gone())
    if limits.per_day is not None:
        left["per_day"] = max(0, limits.per_day - limits.spent_today)
    if limits.per_rule is not None:
        left["per_rule"] = max(0, limits.per_rule - limits.spent_ever)
    return left


def trimmed(draft: Draft, want: Move, left: dict[str, int]) -> int:
    """Return `want` cut to the limits and rounded down, and say so."""
    amount = want.amount
    most = draft.rule.limits.per_move
    if most is not None and amount > most:
        amount = most
        text = f"One move may be at most {draft.money(most)}"
        draft.block("limit", want.target, text)
    for name, room in left.items():
        if amount > room:
            amount = room
            text = f"{NAMES[name]} leaves {draft.money(room)}"
            draft.block("limit", want.target, text)
    return rounded(draft, want, amount)


def rounded(draft: Draft, want: Move, amount: int) -> int:
    """Return `amount` rounded down to the rule's unit; the cut stays at the source."""
    unit = draft.rule.round_to
    if not unit or amount % unit == 0:
        return amount
    whole = amount - amount % unit
    text = f"{draft.money(amount)} is rounded down to {draft.money(whole)}"
    draft.block("limit", want.target, text)
    return whole


def big_enough(draft: Draft, want: Move, amount: int, least: int) -> int:
    """Return `amount`, or 0 where it is below the smallest move."""
    if amount >= least:
        return amount
    text = f"{draft.money(amount)} is below the smallest move, {draft.money(least)}"
    draft.block("limit", want.target, text)
    return 0
