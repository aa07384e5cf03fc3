"""What becomes of positions: told ones are compared, and few of the missing are closed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID, uuid4

from providers.trading import Position

from .figures import plain
from .words import POSITION, Change, Key, KnownPosition, Most, differences, key_of

WATCHED = (
    "side",
    "quantity",
    "entry_price",
)  # what moves with the market changes nothing
TOLD = "the provider says so"
LEFT_OUT = "left out of a complete answer"


@dataclass(slots=True)
class Positions:
    """What a complete answer means."""

    found: list[tuple[UUID, Position]] = field(default_factory=list)
    changed: list[tuple[UUID, Position]] = field(default_factory=list)
    confirmed: list[UUID] = field(default_factory=list)
    closed: list[UUID] = field(default_factory=list)
    held_back: list[KnownPosition] = field(default_factory=list)  # too many at once
    changes: list[Change] = field(default_factory=list)


def meet(
    known: Mapping[Key, KnownPosition],
    told: Iterable[Position],
    *,
    reason: str = TOLD,
    recovering: bool = False,
    new_id: Callable[[], UUID] = uuid4,
) -> Positions:
    """Compare positions that were told with those that are known, closed ones too."""
    verdict = Positions()
    for position in told:
        before = known.get(key_of(position))
        if before is None:
            pk = new_id()
            verdict.found.append((pk, position))
            if recovering:
                text = "it was missing here"
                verdict.changes.append(_opened(pk, position, text))
            continue
        after = replace(position, updated=position.updated or before.position.updated)
        if before.closed:
            verdict.changed.append((before.id, after))
            verdict.changes.append(_opened(before.id, after, "it is open again"))
        elif after == before.position:
            verdict.confirmed.append(before.id)
        else:
            verdict.changed.append((before.id, after))
            about = Change(POSITION, before.id, key_of(after), reason=reason)
            verdict.changes += differences(about, before.position, after, WATCHED)
    return verdict


def _opened(pk: UUID, position: Position, reason: str) -> Change:
    return Change(
        POSITION,
        pk,
        key_of(position),
        "position",
        "",
        plain(position.quantity),
        severity="warning",
        reason=reason,
    )


def settle(
    missing: Sequence[KnownPosition],
    open_before: int,
    traded: Collection[tuple[str, str]],
    most: Most,
) -> Positions:
    """Close positions that a complete answer leaves out.

    `traded`: (segment, market) with trades since they were seen last; those explain
    themselves. Where nearly all of `open_before` are gone and no trade says why, as on
    a testnet that begins anew, none of these is closed: a person decides.
    """
    verdict = Positions()
    unexplained = [m for m in missing if key_of(m.position)[:2] not in traded]
    doubted = most.reached(len(unexplained), open_before)
    for before in missing:
        explained = key_of(before.position)[:2] in traded
        if doubted and not explained:
            verdict.held_back.append(before)
            continue
        verdict.closed.append(before.id)
        verdict.changes.append(closed(before, LEFT_OUT, sure=explained))
    return verdict


def closed(before: KnownPosition, reason: str, *, sure: bool) -> Change:
    """Return the change that a position is closed; `sure` where trades say so, too."""
    return Change(
        POSITION,
        before.id,
        key_of(before.position),
        "closed",
        "false",
        "true",
        severity="info" if sure else "warning",
        reason=reason,
    )
