"""Orders, trades and positions as the exchange's answers tell them."""

from __future__ import annotations

from decimal import Decimal

from .holding import Row
from .markets import plain

NOTHING = "0.00000000"


def spot_order(order: Row) -> Row:
    """Return an order. Source: rest-api.md, "Query order"."""
    market = order["type"] == "MARKET"
    return {
        "symbol": order["symbol"],
        "orderId": order["id"],
        "orderListId": -1,
        "clientOrderId": order["client"],
        "price": NOTHING if market else order["price"],
        "origQty": order["quantity"],
        "executedQty": order["filled"],
        "cummulativeQuoteQty": order["cost"],
        "status": order["status"],
        "timeInForce": "GTC",
        "type": order["type"],
        "side": order["side"],
        "stopPrice": NOTHING,
        "icebergQty": NOTHING,
        "time": order["time"],
        "updateTime": order["updated"],
        "isWorking": True,
        "workingTime": order["time"],
        "origQuoteOrderQty": NOTHING,
        "selfTradePreventionMode": "NONE",
    }


def spot_trade(symbol: str, trade: Row) -> Row:
    """Return a trade. Source: rest-api.md, "Account trade list"."""
    return {
        "symbol": symbol,
        "id": trade["id"],
        "orderId": trade["order"],
        "orderListId": -1,
        "price": trade["price"],
        "qty": trade["quantity"],
        "quoteQty": trade["cost"],
        "commission": trade["fee"],
        "commissionAsset": trade["fee_asset"],
        "time": trade["time"],
        "isBuyer": trade["side"] == "BUY",
        "isMaker": trade["maker"],
        "isBestMatch": True,
    }


def futures_order(order: Row) -> Row:
    """Return an order for a contract. Source: "Query Order" of the futures."""
    filled = Decimal(order["filled"])
    average = plain(Decimal(order["cost"]) / filled) if filled else NOTHING
    market = order["type"] == "MARKET"
    return {
        "avgPrice": average,
        "clientOrderId": order["client"],
        "cumQuote": order["cost"],
        "executedQty": order["filled"],
        "orderId": order["id"],
        "origQty": order["quantity"],
        "origType": order["type"],
        "price": NOTHING if market else order["price"],
        "reduceOnly": False,
        "side": order["side"],
        "positionSide": "BOTH",
        "status": order["status"],
        "stopPrice": NOTHING,
        "closePosition": False,
        "symbol": order["symbol"],
        "time": order["time"],
        "timeInForce": "GTC",
        "type": order["type"],
        "updateTime": order["updated"],
        "workingType": "CONTRACT_PRICE",
        "priceProtect": False,
        "priceMatch": "NONE",
        "selfTradePreventionMode": "NONE",
        "goodTillDate": 0,
    }


def futures_trade(symbol: str, trade: Row) -> Row:
    """Return a trade in a contract. Source: "Account Trade List" of the futures."""
    return {
        "buyer": trade["side"] == "BUY",
        "commission": trade["fee"],
        "commissionAsset": trade["fee_asset"],
        "id": trade["id"],
        "maker": trade["maker"],
        "orderId": trade["order"],
        "price": trade["price"],
        "qty": trade["quantity"],
        "quoteQty": trade["cost"],
        "realizedPnl": trade["pnl"],
        "side": trade["side"],
        "positionSide": "BOTH",
        "symbol": symbol,
        "time": trade["time"],
    }
