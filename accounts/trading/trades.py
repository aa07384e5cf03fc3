"""What becomes of trades: they are facts, so that what is known is never rewritten."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from uuid import UUID, uuid4

from providers.trading import Trade

from .figures import plain
from .words import TRADE, Change, Key, key_of

FACTS = ("side", "quantity", "price", "cost")
DETAILS = ("fee", "fee_asset", "maker", "pnl", "pnl_asset", "order_id")
SIGNED = {"buy": "bought", "sell": "sold"}


@dataclass(slots=True)
class Trades:
    """What a page means."""

    found: list[tuple[UUID, Trade]] = field(default_factory=list)
    confirmed: int = 0
    rewritten: list[tuple[Trade, Trade]] = field(default_factory=list)  # ours, theirs
    changes: list[Change] = field(default_factory=list)


def sift(
    known: Mapping[Key, Trade],
    told: Iterable[Trade],
    *,
    recovering: bool = False,
    new_id: Callable[[], UUID] = uuid4,
) -> Trades:
    """Tell new trades from known ones, and from known ones that are told otherwise."""
    verdict = Trades()
    for trade in told:
        before = known.get(key_of(trade))
        if before is None:
            pk = new_id()
            verdict.found.append((pk, trade))
            if recovering:
                verdict.changes.append(_recovered(pk, trade))
        elif same(before, trade):
            verdict.confirmed += 1
        else:
            verdict.rewritten.append((before, trade))
    return verdict


def same(before: Trade, told: Trade) -> bool:
    """Say whether two tellings of a trade agree; details may be left out of either."""
    if any(getattr(before, name) != getattr(told, name) for name in FACTS):
        return False
    if before.created != told.created:
        return False
    pairs = ((getattr(before, name), getattr(told, name)) for name in DETAILS)
    return all(a in (None, "") or b in (None, "") or a == b for a, b in pairs)


def _recovered(pk: UUID, trade: Trade) -> Change:
    price = f"at {plain(trade.price)} {trade.market.quote}"
    return Change(
        TRADE,
        pk,
        key_of(trade),
        "trade",
        "",
        f"{SIGNED[trade.side]} {plain(trade.quantity)} {trade.market.base} {price}",
        plain(_signed(trade)),
        severity="warning",
        reason="it was missing here",
    )


def _signed(trade: Trade) -> Decimal:
    # A minus sign in Python rounds to 28 digits; this does not.
    quantity = trade.quantity
    return quantity if trade.side == "buy" else quantity.copy_negate()
