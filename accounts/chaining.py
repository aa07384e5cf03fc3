"""What blocks mean for balances: a height never goes back, unless its chain did. PURE"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from providers.base import Block, Reading

from .verdicts import Change, Known, Verdict

REPLACED = "its chain has another block in that place now"
TICK = timedelta(microseconds=1)


def key_of(block: Block) -> str:
    """Return the name of a block, with which those of a chain's balances begin."""
    return f"{block.number}:{block.hash}"


def is_replaced(before: Known, reading: Reading, superseded: Sequence[Block]) -> bool:
    """Say whether the block of the known figures is no part of the chain any more."""
    if before.block is None or reading.block is None or before.block == reading.block:
        return False
    return (
        before.block in superseded or before.block.number == reading.block.number
    )  # two at one height: only one of them is true


def is_of_same_block(before: Known, reading: Reading) -> bool:
    """Say whether no block became final since, so that what is not final alone differs."""
    return before.block is not None and before.block == reading.block


def is_behind(before: Known, reading: Reading) -> bool:
    """Say whether a node tells of an earlier height than is known already."""
    if before.block is None or reading.block is None:
        return False
    return reading.block.number < before.block.number


def moment_after(before: Known, as_of: datetime) -> datetime:
    """Return when figures count from that replace known ones: history goes forward."""
    return as_of if before.as_of is None else max(as_of, before.as_of + TICK)


def note(
    verdict: Verdict,
    before: Known,
    reading: Reading,
    superseded: Sequence[Block],
    *,
    replaced: bool,
) -> None:
    """Note the block of figures that are believed, and the ones they replace."""
    if reading.block is None:
        return
    verdict.chained.append((before.account_id, reading))
    if replaced and before.block is not None:
        gone = {before.block, *(b for b in before.earlier if b in superseded)}
        verdict.superseded += [(before.account_id, block) for block in gone]
        verdict.changes.append(
            Change(
                before.account_id,
                "block",
                key_of(before.block),
                key_of(reading.block),
                severity="warning",
                reason=REPLACED,
            )
        )
