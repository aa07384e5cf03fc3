"""What becomes of orders: told ones are compared, missing ones are looked up first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID, uuid4

from providers.trading import CANCELLED, EXPIRED, FILLED, LIVE, REJECTED, Order

from .words import (
    ABSENT,
    ORDER,
    OVER,
    Change,
    Key,
    KnownOrder,
    Most,
    differences,
    key_of,
)

TOLD = "the provider says so"
BACK = "the provider tells of it again"
LOOKED_UP = "missing from the open orders, looked up"
NOT_THERE = "missing from the open orders, and the provider says there is none"
WATCHED = ("side", "status", "quantity", "filled", "cost", "price")
GRAVE = frozenset({REJECTED, EXPIRED})


@dataclass(slots=True)
class Orders:
    """What an answer means. What is not in it stays as it was."""

    found: list[tuple[UUID, Order]] = field(default_factory=list)
    changed: list[tuple[UUID, Order]] = field(default_factory=list)
    confirmed: list[UUID] = field(default_factory=list)
    older: list[UUID] = field(default_factory=list)  # told as it was before
    changes: list[Change] = field(default_factory=list)


def meet(
    known: Mapping[Key, KnownOrder],
    told: Iterable[Order],
    *,
    reason: str = TOLD,
    recovering: bool = False,
    new_id: Callable[[], UUID] = uuid4,
) -> Orders:
    """Compare orders that were told, each once, with those that are known.

    `recovering`: a new one should have been known, so that it is a change, too.
    """
    verdict = Orders()
    for order in told:
        before = known.get(key_of(order))
        if before is None:
            pk = new_id()
            verdict.found.append((pk, order))
            if recovering:
                verdict.changes.append(_recovered(pk, order))
        else:
            _compare(verdict, before, order, reason)
    return verdict


def _recovered(pk: UUID, order: Order) -> Change:
    return Change(
        ORDER,
        pk,
        key_of(order),
        "order",
        "",
        order.status,
        severity="warning",
        reason="it was missing here",
    )


def _compare(verdict: Orders, before: KnownOrder, told: Order, reason: str) -> None:
    after = merged(before.order, told)
    if is_older(before.order, after):
        verdict.older.append(before.id)
    elif after == before.order:
        verdict.confirmed.append(before.id)
    else:
        if before.order.status == ABSENT:
            reason = BACK
        verdict.changed.append((before.id, after))
        about = Change(ORDER, before.id, key_of(after), reason=reason)
        verdict.changes += differences(about, before.order, after, WATCHED, GRAVE)


def merged(before: Order, told: Order) -> Order:
    """Return what is told, with what only an earlier answer knew."""
    return replace(
        told,
        cost=before.cost if told.cost is None else told.cost,
        price=before.price if told.price is None else told.price,
        updated=told.updated or before.updated,
        client_id=told.client_id or before.client_id,
        kind=told.kind or before.kind,
    )


def is_older(before: Order, told: Order) -> bool:
    """Say whether an answer tells how an order was before what is known already.

    What is over stays over, and what was filled stays filled, unless the provider
    itself says that it has changed its mind since.
    """
    then, now = before.updated, told.updated
    if then is not None and now is not None and then != now:
        return now < then
    if before.status == ABSENT:
        return False
    if before.status in OVER and told.status in LIVE:
        return True
    return told.filled < before.filled


@dataclass(slots=True)
class Missing:
    """What is concluded about orders that the provider says it does not have."""

    absent: list[UUID] = field(default_factory=list)
    held_back: list[KnownOrder] = field(default_factory=list)  # too many at once
    changes: list[Change] = field(default_factory=list)


def outcome(found: Order | None) -> str:
    """Return what a look-up that succeeded says: open, filled, cancelled or absent.

    That a look-up failed says nothing of the order: it never comes here.
    """
    if found is None:
        return ABSENT
    if found.status in LIVE:
        return "open"
    return FILLED if found.status == FILLED else CANCELLED


def conclude(absent: Sequence[KnownOrder], live_before: int, most: Most) -> Missing:
    """Believe that orders do not exist, unless nearly all are gone at once.

    `absent`: those that were looked up one by one, of `live_before` that were live. A
    testnet that begins anew forgets them all: that is for a person to say.
    """
    verdict = Missing()
    if most.reached(len(absent), live_before):
        verdict.held_back = list(absent)
        return verdict
    for before in absent:
        verdict.absent.append(before.id)
        verdict.changes.append(gone(before, NOT_THERE))
    return verdict


def gone(before: KnownOrder, reason: str) -> Change:
    """Return the change that an order does not exist at the provider."""
    return Change(
        ORDER,
        before.id,
        key_of(before.order),
        "status",
        before.order.status,
        ABSENT,
        severity="warning",
        reason=reason,
    )


def unseen(known: Iterable[KnownOrder], since: datetime) -> list[KnownOrder]:
    """Return the live orders that no answer has told of from `since` on."""
    return [k for k in known if k.order.status in LIVE and k.seen_at < since]
