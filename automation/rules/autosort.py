"""Autosort: pour one pot into many, tier by tier, as a waterfall.

Reserve, then bills, priority, goals and investments; a tier that cannot be paid in full
ends it. What is left may be shared out again among the investments.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .arithmetic import apportion, split
from .cup import Cup
from .draft import Draft
from .shares import percent

TIERS = ("bills", "priority", "goal", "investment")


def autosort(draft: Draft) -> None:
    """Want for each pot what the waterfall gives it."""
    (source,) = draft.legs("source")
    if draft.stopped(source.account, leaving=True):
        return
    spare = draft.spare(source)
    if not spare:
        text = f"{draft.name(source.account)} has nothing to spare"
        draft.block("funds", source.account, text)
    whole = spare + draft.gone(source.account)
    cups = [Cup(draft, source, leg, whole) for leg in draft.legs(*TIERS)]
    left = waterfall(draft, cups, spare)
    for cup in cups:
        draft.want(source, cup.leg, cup.got)
    if left:
        text = f"{draft.money(left)} stays in {draft.name(source.account)}"
        draft.say("rest", source.account, text, left)


def waterfall(draft: Draft, cups: Sequence[Cup], left: int) -> int:
    """Fill the tiers in turn and return what is left."""
    for role in TIERS:
        tier = [cup for cup in cups if cup.leg.role == role]
        if not tier:
            continue
        left = FILL.get(role, pay)(draft, tier, left)
        if any(cup.short for cup in tier):
            draft.say(role, None, "This tier is short: nothing below it is paid")
            return left
    if draft.rule.rest == "redistribute" and left:
        return redistribute(draft, tier, left)
    return left


def pay(draft: Draft, tier: Sequence[Cup], left: int) -> int:
    """Give each pot of a tier what it asks for, in order."""
    for cup in tier:
        left -= cup.owe(draft, left)
    return left


def invest(draft: Draft, tier: Sequence[Cup], base: int) -> int:
    """Give shares of one base and fixed amounts in order, then divide what is left."""
    sharing = [cup for cup in tier if cup.leg.strategy == "share"]
    shares = [cup.leg.share for cup in sharing if cup.leg.share is not None]
    parts = dict(zip(map(id, sharing), apportion(base, shares), strict=True))
    left, told = base, f" of {draft.money(base)}" if sharing else ""
    for cup in tier:
        if cup.leg.strategy == "fixed":
            left -= cup.owe(draft, left)
        elif cup.leg.strategy == "share":
            why = f", {percent(cup.leg.share)}{told}"
            left -= cup.take(draft, min(parts[id(cup)], left), why)
    return equal(draft, tier, left)


def equal(draft: Draft, tier: Sequence[Cup], left: int) -> int:
    """Divide `left` into equal parts; what a pot cannot take is not yet passed on."""
    cups = [cup for cup in tier if cup.leg.strategy == "equal"]
    told = f", an equal part of {draft.money(left)}" if cups else ""
    parts = split(left, [1] * len(cups))
    return left - sum(
        cup.take(draft, part, told) for cup, part in zip(cups, parts, strict=True)
    )


def redistribute(draft: Draft, tier: Sequence[Cup], left: int) -> int:
    """Pour what is left into pots with a goal, then into the first without one."""
    growing = [cup for cup in tier if cup.leg.strategy in ("share", "equal")]
    left = by_goal(draft, growing, left)
    for cup in growing:
        if left and cup.room != 0:  # no goal then: by_goal() filled those
            left -= cup.take(draft, left, ", what is left")
    return left


def by_goal(draft: Draft, growing: Sequence[Cup], left: int) -> int:
    """Divide `left` in proportion to what each goal still lacks."""
    # A cap may cut a part short, so the others are asked again; each turn either
    # uses up what is left or fills one pot, so there are no more turns than pots.
    while left and (open_ := [cup for cup in growing if cup.space and cup.room]):
        spaces = [cup.space or 0 for cup in open_]
        parts = split(min(left, sum(spaces)), spaces)
        taken = sum(
            cup.take(draft, part, ", a part of what is left")
            for cup, part in zip(open_, parts, strict=True)
        )
        left -= taken
    return left


FILL: dict[str, Callable[[Draft, Sequence[Cup], int], int]] = {"investment": invest}
