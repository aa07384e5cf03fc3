"""What reports of orders mean. Source: user-data-stream.md, "Order Update"."""

from __future__ import annotations

from typing import Any, Final

from providers.fields import flag, text
from providers.trading import Market, Order, Trade

from .answers import code_of, moment, natural
from .rows import SIDES, STATUSES, decimal, price_or_none, size

# Reports after which neither what is held nor what is locked is another.
WITHOUT_EFFECT: Final = frozenset({"REJECTED", "TRADE_PREVENTION"})


def touched(event: Any, market: Market) -> set[str]:
    """Return the codes whose balance, or lock, a report has changed."""
    what = text(event["x"])
    if what == "TRADE":
        paid = {code_of(event["N"])} if event["N"] else set()
        return {market.base, market.quote} | paid
    if what in WITHOUT_EFFECT:
        return set()
    return {market.quote if event["S"] == "BUY" else market.base}


def order_told(event: Any, market: Market) -> Order:
    """Return an order as a report tells it. Source: user-data-stream.md, "Order Update"."""
    return Order(
        f"{natural(event['i'])}",
        market,
        SIDES[event["S"]],
        text(event["o"]).lower(),
        STATUSES[event["X"]],
        size(event["q"]),
        size(event["z"]),
        moment(event["O"]),
        cost=size(event["Z"]),
        price=price_or_none(event["p"]),
        updated=moment(event["T"]),
        # A report of a cancellation has the name of the cancellation, too.
        client_id=event["C"] or event["c"],
    )


def trade_told(event: Any, market: Market) -> Trade:
    return Trade(
        f"{natural(event['t'])}",
        f"{natural(event['i'])}",
        market,
        SIDES[event["S"]],
        size(event["l"]),
        size(event["L"]),
        size(event["Y"]),
        moment(event["T"]),
        fee=decimal(event["n"]),
        fee_asset=code_of(event["N"]) if event["N"] else "",
        maker=flag(event["m"]),
    )
