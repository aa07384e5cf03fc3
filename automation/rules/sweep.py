"""Sweep: gather what each source can spare into one target, sources in order."""

from __future__ import annotations

from .arithmetic import part, within
from .draft import Draft
from .outlays import ROUND_UPS, wanted_for
from .terms import Leg

EXACT = frozenset({"fixed", ROUND_UPS})  # strategies that name an amount


def sweep(draft: Draft) -> None:
    """Want from each source what its strategy asks, down to its reserve."""
    (target,) = draft.legs("target")
    if draft.stopped(target.account, leaving=False):
        return
    room = None if target.cap is None else max(0, target.cap - draft.gone())
    for source in draft.legs("source"):
        amount = given(draft, source, target, room)
        if draft.want(source, target, amount) and room is not None:
            room -= amount


def given(draft: Draft, source: Leg, target: Leg, room: int | None) -> int:
    """Return what one source gives, and say why."""
    if draft.stopped(source.account, leaving=True):
        return 0
    if not draft.passes(source.account, target.account):
        return 0
    lacking = round_ups(draft, source) if source.strategy == "round_ups" else None
    if lacking == 0:
        return 0
    spare = draft.spare(source)
    exact = source.strategy in EXACT
    if not (spare or exact):
        return nothing(draft, source)
    wanted = asked(source, draft.available(source.account), lacking or spare)
    wanted = wanted if exact else min(wanted, spare)
    amount = within(wanted, source.cap, room)
    if amount < wanted:
        text = f"A cap cuts {draft.money(wanted)} to {draft.money(amount)}"
        draft.block("limit", source.account, text)
    if amount > spare:
        amount = short(draft, source, amount, spare)
    told = f"{draft.name(source.account)} gives {draft.money(amount)}"
    draft.say(source.strategy, source.account, told, amount)
    return amount


def asked(source: Leg, available: int, otherwise: int) -> int:
    """Return what the strategy asks of a balance, before the reserve."""
    if source.strategy == "fixed":
        return source.amount or 0
    if source.strategy == "share" and source.share is not None:
        return part(available, source.share)
    return otherwise


def round_ups(draft: Draft, source: Leg) -> int:
    """Return what payments lack to whole units, multiplied, and say so."""
    name, paid = draft.name(source.account), draft.payments.get(source.account)
    if paid is None:
        text = f"Nobody knows what was paid by card from {name}"
        draft.block("stale", source.account, text)
        return 0
    unit, times = source.unit or 1, source.multiplier or 1
    owed = draft.owed.get(source.account, 0)
    lacking = wanted_for(source, paid) + owed
    payments = "1 payment" if len(paid) == 1 else f"{len(paid)} payments"
    text = f"{payments} by card from {name}"
    if not lacking:
        text += ": nothing to round up"
        draft.block("nothing", source.account, text)
        return 0
    text += f", rounded up to whole {draft.money(unit)}"
    text += f", {times} times" if times > 1 else ""
    text += f", and {draft.money(owed)} left over from before" if owed else ""
    draft.say("round_ups", source.account, f"{text}: {draft.money(lacking)}", lacking)
    return lacking


def nothing(draft: Draft, source: Leg) -> int:
    """Say that a source has nothing above its reserve."""
    # `above` asks for nothing then; every other strategy is short of money.
    code = "nothing" if source.strategy == "above" else "funds"
    text = f"{draft.name(source.account)} has nothing to spare"
    draft.block(code, source.account, text)
    return 0


def short(draft: Draft, source: Leg, wanted: int, spare: int) -> int:
    """Return what a source gives that has less than the amount asked for."""
    text = f"{draft.name(source.account)} is short: {draft.money(wanted)} wanted, {draft.money(spare)} there"
    draft.block("funds", source.account, text)
    return spare if draft.pays_part("partial") else 0
