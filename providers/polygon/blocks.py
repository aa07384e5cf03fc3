"""Where the chain is, and whether it still is where it was. Source: PIP-11, "Milestones".

What is `finalized` never changes, by the rules of the chain: whether it did is looked at.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from providers.base import Block, Place
from providers.errors import FAULTS, ProviderError, Unavailable, UnexpectedResponse

from .rpc import Ask, need, quantity

CHAIN: Final = 137  # Polygon PoS
MOST_KNOWN: Final = 16  # blocks of earlier readings that are looked at again
HASH = re.compile(r"0x[0-9a-f]{64}", re.ASCII)
LATEST_MOMENT: Final = 32_503_680_000  # the year 3000, in seconds


@dataclass(frozen=True, slots=True)
class Head:
    """One block, and when it was made."""

    block: Block
    moment: datetime


@dataclass(frozen=True, slots=True)
class Sight:
    """Where one node says the chain is."""

    final: Head
    latest: int
    superseded: tuple[Block, ...]


def head(value: Any) -> Head:
    """Return a block of `eth_getBlockByNumber`; raises ValueError, TypeError, KeyError."""
    found, seconds = value["hash"], quantity(value["timestamp"])
    if not isinstance(found, str) or not HASH.fullmatch(found):
        raise ValueError(f"{found!r:.80} is no hash of a block")
    if seconds > LATEST_MOMENT:
        raise ValueError(f"No block is of {seconds}")
    moment = datetime.fromtimestamp(seconds, UTC)
    return Head(Block(quantity(value["number"]), found), moment)


def block(tag: str | int) -> Ask:
    """Return the question for one block, without its transactions."""
    name = tag if isinstance(tag, str) else hex(tag)
    return Ask("eth_getBlockByNumber", (name, False))


def known_blocks(known: Sequence[Place]) -> list[Block]:
    """Return the blocks of what was read before, each once, the newest last."""
    found = {place.block for place in known if place.block is not None}
    return sorted(found, key=lambda one: (one.number, one.hash))[-MOST_KNOWN:]


def questions(known: Sequence[Block]) -> list[Ask]:
    """Return what is asked first; `sight` takes the answers."""
    return [
        Ask("eth_chainId"),
        block("finalized"),
        block("latest"),
        *(block(one.number) for one in known),
    ]


def sight(outcomes: Sequence[Any], known: Sequence[Block]) -> Sight:
    """Return where the chain is; raises what the node got wrong, or that it is behind."""
    chain, final, latest, *others = outcomes
    if (number := quantity(need(chain))) != CHAIN:
        raise UnexpectedResponse(f"This node is of chain {number}, not of {CHAIN}")
    ends = _told(final, "finalized"), _told(latest, "latest")
    if ends[1].block.number < ends[0].block.number:
        raise UnexpectedResponse("This node's latest block is before its final one")
    now = [
        _same(was, outcome, ends[0].block)
        for was, outcome in zip(known, others, strict=True)
    ]
    gone = tuple(w for w, n in zip(known, now, strict=True) if w.hash != n.hash)
    return Sight(ends[0], ends[1].block.number, gone)


def _same(was: Block, outcome: Any, final: Block) -> Block:
    """Return what stands where `was` stood; raises Unavailable for a node behind it."""
    if was.number > final.number:
        raise Unavailable(
            f"This node is behind: block {final.number} is final there, and "
            f"{was.number} was before"
        )
    found = _told(outcome, str(was.number)).block
    if found.number != was.number:
        raise UnexpectedResponse("This node tells of another block than it was asked")
    if found.number == final.number and found.hash != final.hash:
        raise Unavailable("The chain changed while it was asked for")
    return found


def _told(outcome: Any, which: str) -> Head:
    value = need(outcome)
    if value is None:
        raise Unavailable(f"This node knows no block {which}")
    return head(value)


def agrees(outcome: Any, used: Block) -> str:
    """Return what another node says of a block: "yes", or why it does not say.

    Raises UnexpectedResponse where it knows another block of that number.
    """
    if isinstance(outcome, ProviderError):
        return f"failed ({outcome.code})"
    if outcome is None:
        return "does not know the block yet"
    try:
        found = head(outcome).block
    except FAULTS:
        return "answers nonsense"
    if found != used:
        raise UnexpectedResponse(
            f"Two endpoints disagree: block {used.number} is {used.hash} for one, and "
            f"block {found.number} is {found.hash} for the other; neither is believed"
        )
    return "yes"
