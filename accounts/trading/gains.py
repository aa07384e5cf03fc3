"""What spot trades have earned, first in first out, where nothing else can be true.

A gain is told only if the whole history of the asset since it was last at zero is
known: what was held when a balance was read, taken back trade by trade, must come to
exactly zero, must never be below it, and must agree with every balance that was read in
between. All of it must have been bought in the very asset that it was sold for. Anything
else is None: unknown.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from operator import itemgetter

from providers.trading import Market, Trade

from . import figures
from .words import Key, key_of

SPOT = "spot"
DECIMALS = 18  # of a figure that was worked out; shares of a fee need not end
WIDE = Context(prec=160, rounding=ROUND_HALF_EVEN)
SKEW = timedelta(seconds=5)  # between a balance's moment and the trades around it
MOST_STRETCHES = 100  # deposits and withdrawals that are looked behind
NOTHING = Fraction(0)


@dataclass(frozen=True, slots=True)
class Holding:
    """What is held of an asset, in whole units, at a moment, and what was read before."""

    quantity: Decimal
    as_of: datetime
    readings: Sequence[tuple[datetime, Decimal]] = ()


@dataclass(frozen=True, slots=True)
class Gain:
    """What a sale has earned in `asset`, after its fee and those of the purchases."""

    amount: Decimal
    asset: str


@dataclass(frozen=True, slots=True)
class Kept:
    """What is left of an asset, and what it has cost: a position worked out."""

    market: Market
    quantity: Decimal
    entry_price: Decimal  # in the market's quote
    since: datetime


@dataclass(slots=True)
class Worked:
    """All that can be worked out."""

    gains: dict[Key, Gain] = field(default_factory=dict)
    kept: list[Kept] = field(default_factory=list)


@dataclass(slots=True)
class _Lot:
    quantity: Fraction
    cost: Fraction
    market: Market | None  # None: nobody knows what it has cost
    since: datetime


@dataclass(frozen=True, slots=True)
class _Anchor:
    """A balance that was read: how many trades came before it, more or less."""

    quantity: Fraction
    low: int
    at: int
    high: int


def work_out(trades: Sequence[Trade], holdings: Mapping[str, Holding]) -> Worked:
    """Return the gains of spot trades, and what is kept of each asset, as far as known.

    `trades` are all that are known of one connection; their order does not matter.
    """
    ordered = sorted((t for t in trades if t.market.segment == SPOT), key=_when)
    by_asset: dict[str, list[Trade]] = {}
    for trade in ordered:
        for code in {trade.market.base, trade.market.quote, trade.fee_asset} - {""}:
            by_asset.setdefault(code, []).append(trade)
    worked = Worked()
    bases = sorted({trade.market.base for trade in ordered})
    for code in bases:
        if (held := holdings.get(code)) is not None:
            _of_asset(worked, code, by_asset[code], held)
    return worked


def _when(trade: Trade) -> tuple[datetime, int, str, str]:
    # Ids that count up are compared as numbers are.
    return trade.created, len(trade.external_id), trade.external_id, trade.market.name


def effect(trade: Trade, code: str) -> Fraction:
    """Return by how much `trade` changes what is held of `code`."""
    sign = 1 if trade.side == "buy" else -1
    change = NOTHING
    if trade.market.base == code:
        change += sign * Fraction(trade.quantity)
    if trade.market.quote == code:
        change -= sign * Fraction(trade.cost)
    if trade.fee_asset == code and trade.fee is not None:
        change -= Fraction(trade.fee)
    return change


def _of_asset(worked: Worked, code: str, trades: list[Trade], held: Holding) -> None:
    for begin, end in whole(code, trades, held):
        lots: deque[_Lot] = deque()
        for trade in trades[begin:end]:
            change = effect(trade, code)
            if change > 0:
                lots.append(_bought(trade, code, change))
            elif change < 0:
                cost = _take(lots, -change)
                _sold(worked, trade, code, cost)
        if end == len(trades):
            _keep(worked, lots)


def whole(
    code: str, trades: Sequence[Trade], held: Holding
) -> Iterator[tuple[int, int]]:
    """Yield the stretches of trades of which the history is whole, the newest first.

    Each begins where nothing of `code` was left, and ends where a balance contradicts
    it, as after a deposit: what came before is known from the balance before that.
    """
    moments = [trade.created for trade in trades]
    effects = [effect(trade, code) for trade in trades]
    known = [*sorted(held.readings, key=itemgetter(0)), (held.as_of, held.quantity)]
    anchors = [_anchor(moments, *reading) for reading in known]
    end, number = len(trades), len(anchors) - 1
    for _ in range(MOST_STRETCHES):
        if number < 0:
            return
        path = _path(effects[:end], anchors[number])
        wrong, number = _last_contradiction(path, anchors[:number])
        # Where the path is contradicted it is right again before the next trade.
        zeros = (i for i in range(max(wrong, 0), end + 1) if path[i] == 0)
        if (begin := next(zeros, None)) is not None:
            yield begin, end
        end = wrong


def _anchor(
    moments: Sequence[datetime], moment: datetime, quantity: Decimal
) -> _Anchor:
    return _Anchor(
        Fraction(quantity),
        bisect_left(moments, moment - SKEW),
        bisect_right(moments, moment),
        bisect_right(moments, moment + SKEW),
    )


def _path(effects: Sequence[Fraction], anchor: _Anchor) -> list[Fraction]:
    """Return what was held before each trade and after the last, as `anchor` has it."""
    path = [anchor.quantity - sum(effects[: anchor.at], NOTHING)]
    for change in effects:
        path.append(path[-1] + change)
    return path


def _last_contradiction(
    path: Sequence[Fraction], anchors: Sequence[_Anchor]
) -> tuple[int, int]:
    """Return the last place of the path that cannot be true, and whose word counts there.

    Both are -1 if all of it may be true; the latter is the number of an anchor.
    """
    worst = max((i for i, amount in enumerate(path) if amount < 0), default=-1)
    for number in range(len(anchors) - 1, -1, -1):
        anchor = anchors[number]
        if anchor.high <= worst:
            return worst, number
        if anchor.quantity not in path[anchor.low : anchor.high + 1]:
            return anchor.high, number
    return worst, -1


def _bought(trade: Trade, code: str, quantity: Fraction) -> _Lot:
    market = trade.market
    if market.base != code or trade.fee_asset not in ("", code, market.quote):
        return _Lot(quantity, NOTHING, None, trade.created)
    fee = _fee_in(trade, market.quote)
    if fee is None:
        return _Lot(quantity, NOTHING, None, trade.created)
    return _Lot(quantity, Fraction(trade.cost) + fee, market, trade.created)


def _fee_in(trade: Trade, code: str) -> Fraction | None:
    """Return what of the fee was paid in `code`; None where nobody tells the fee."""
    if trade.fee is None:
        return None
    return Fraction(trade.fee) if trade.fee_asset == code else NOTHING


def _take(lots: deque[_Lot], quantity: Fraction) -> dict[str, Fraction] | None:
    """Take the oldest `quantity` away; return its cost by asset, None if not known."""
    cost: dict[str, Fraction] | None = {}
    while quantity:
        lot = lots[0]
        part = min(lot.quantity, quantity)
        paid = lot.cost * part / lot.quantity
        if lot.market is None:
            cost = None
        elif cost is not None:
            cost[lot.market.quote] = cost.get(lot.market.quote, NOTHING) + paid
        lot.quantity -= part
        lot.cost -= paid
        quantity -= part
        if not lot.quantity:
            lots.popleft()
    return cost


def _sold(
    worked: Worked, trade: Trade, code: str, cost: Mapping[str, Fraction] | None
) -> None:
    market = trade.market
    if market.base != code or trade.side != "sell" or trade.pnl is not None:
        return  # it was spent, or the provider itself says what it has earned
    fee = _fee_in(trade, market.quote)
    known = trade.fee_asset in ("", code, market.quote) and fee is not None
    if not known or cost is None or set(cost) != {market.quote}:
        return
    amount = Fraction(trade.cost) - fee - cost[market.quote]
    worked.gains[key_of(trade)] = Gain(rounded(amount), market.quote)


def _keep(worked: Worked, lots: Sequence[_Lot]) -> None:
    markets = {lot.market for lot in lots}
    if len(markets) != 1 or (market := next(iter(markets))) is None:
        return
    quantity = sum((lot.quantity for lot in lots), NOTHING)
    price = sum((lot.cost for lot in lots), NOTHING) / quantity
    since = min(lot.since for lot in lots)
    held = rounded(quantity, figures.DECIMALS)  # it ends: nothing was divided
    worked.kept.append(Kept(market, held, rounded(price), since))


def rounded(amount: Fraction, decimals: int = DECIMALS) -> Decimal:
    """Return `amount` with at most so many decimals, the half to the even one."""
    scaled = round(amount * 10**decimals)  # of a Fraction: exact, half to even
    found = WIDE.normalize(WIDE.scaleb(Decimal(scaled), -decimals))
    return Decimal(f"{found:f}") if found else Decimal(0)
