"""Topup: bring one target to where it should be, from one source."""

from __future__ import annotations

from .arithmetic import within
from .draft import Draft
from .terms import Leg


def topup(draft: Draft) -> None:
    """Want what the target lacks; with `balance`, also give back what is too much."""
    (source,), (target,) = draft.legs("source"), draft.legs("target")
    if draft.stopped(target.account, leaving=False):
        return
    held = draft.available(target.account)
    if target.strategy == "balance" and held > (target.high or 0):
        give_back(draft, source, target, held)
    elif amount := lacking(target, draft.expected(target.account)):
        fill(draft, source, target, amount)
    else:
        text = f"{draft.name(target.account)} holds {draft.money(held)}"
        if coming := draft.holdings[target.account].coming:
            text += f", and {draft.money(coming)} is on its way"
        text += ": that is enough"
        draft.block("nothing", target.account, text)


def lacking(target: Leg, held: int) -> int:
    """Return how much a target wants that holds `held`."""
    if target.strategy == "fixed":
        return within(target.amount or 0, target.cap)
    if target.strategy == "balance" and held >= (target.low or 0):
        return 0
    return within((target.target or 0) - held, target.amount, target.cap)


def fill(draft: Draft, source: Leg, target: Leg, wanted: int) -> None:
    """Want `wanted` for the target, as far as the source can spare it."""
    name = draft.name(target.account)
    draft.say("target", target.account, f"{name} wants {draft.money(wanted)}", wanted)
    if draft.stopped(source.account, leaving=True):
        return
    if not draft.passes(source.account, target.account):
        return
    spare = draft.spare(source)
    if wanted > spare:
        text = f"{draft.name(source.account)} can spare {draft.money(spare)} of {draft.money(wanted)}"
        draft.block("funds", source.account, text)
        wanted = spare if draft.pays_part("refuse") else 0
    draft.want(source, target, wanted)


def give_back(draft: Draft, source: Leg, target: Leg, held: int) -> None:
    """Want what the target holds beyond its aim to go to the source."""
    if draft.stopped(target.account, leaving=True):
        return
    if draft.stopped(source.account, leaving=False):
        return
    if not draft.passes(target.account, source.account):
        return
    amount = within(held - (target.target or 0), target.cap)
    amount = draft.careful(target, amount)
    text = f"{draft.name(target.account)} holds {draft.money(held)}: {draft.money(amount)} goes back"
    draft.say("balance", target.account, text, amount)
    draft.want(target, source, amount)
