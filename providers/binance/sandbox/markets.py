"""What is traded: symbols, their grids, and prices to begin with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

GRID: Final = Decimal("0.00000001")  # of every amount


@dataclass(frozen=True, slots=True)
class Listed:
    """A market. Tick × step is never finer than an amount, so nothing has to be rounded."""

    base: str
    quote: str
    tick: Decimal
    step: Decimal
    price: Decimal
    status: str = "TRADING"

    @property
    def symbol(self) -> str:
        return self.base + self.quote


def _table(rows: str) -> Mapping[str, Listed]:
    found = []
    for row in rows.strip().splitlines():
        base, quote, tick, step, price, *status = row.split()
        numbers = Decimal(tick), Decimal(step), Decimal(price)
        found.append(Listed(base, quote, *numbers, *status))
    return {market.symbol: market for market in found}


SPOT: Final = _table(
    """
    BTC USDT 0.01 0.00001 64250.10
    ETH USDT 0.01 0.0001 3120.45
    BNB USDT 0.01 0.001 585.20
    SOL USDT 0.01 0.001 148.36
    ADA USDT 0.0001 0.1 0.4512
    XRP USDT 0.0001 0.1 0.5231
    LTC USDT 0.01 0.001 71.88
    DOT USDT 0.001 0.01 5.942
    LINK USDT 0.01 0.01 13.27
    DOGE USDT 0.00001 1 0.12345
    EUR USDT 0.0001 0.1 1.0842
    BTC EUR 0.01 0.00001 59260.44
    ETH EUR 0.01 0.0001 2878.10
    ETH BTC 0.00001 0.001 0.04857
    BNB BTC 0.000001 0.01 0.009108
    SOL BTC 0.000001 0.01 0.002309
    LTC BTC 0.000001 0.01 0.001119
    LUNA USDT 0.0001 0.01 0.4012 BREAK
    """
)
FUTURES: Final = _table(
    """
    BTC USDT 0.10 0.001 64260.30
    ETH USDT 0.01 0.001 3121.10
    SOL USDT 0.0100 1 148.40
    BTC USDC 0.1 0.001 64255.80
    """
)
OF: Final = {"spot": SPOT, "futures": FUTURES}
ORDER_TYPES: Final = ("LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS_LIMIT")


def plain(value: Decimal) -> str:
    """Return an amount with the eight decimals it always has; raises InvalidOperation."""
    return f"{value.quantize(GRID) + 0:f}"  # zero has no sign


def filters(market: Listed) -> list[dict[str, Any]]:
    tick, step = plain(market.tick), plain(market.step)
    most = "9000000.00000000"
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": tick,
            "maxPrice": most,
            "tickSize": tick,
        },
        {"filterType": "LOT_SIZE", "minQty": step, "maxQty": most, "stepSize": step},
        {
            "filterType": "NOTIONAL",
            "minNotional": "5.00000000",
            "applyMinToMarket": True,
            "maxNotional": most,
            "applyMaxToMarket": False,
            "avgPriceMins": 5,
        },
    ]


def spot_row(market: Listed, *, permission_sets: bool) -> dict[str, Any]:
    """Return a market as "Exchange information" lists it."""
    return {
        "symbol": market.symbol,
        "status": market.status,
        "baseAsset": market.base,
        "baseAssetPrecision": 8,
        "quoteAsset": market.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": list(ORDER_TYPES),
        "icebergAllowed": True,
        "ocoAllowed": True,
        "otoAllowed": True,
        "opoAllowed": True,
        "quoteOrderQtyMarketAllowed": True,
        "allowTrailingStop": True,
        "cancelReplaceAllowed": True,
        "amendAllowed": True,
        "pegInstructionsAllowed": True,
        "isSpotTradingAllowed": market.status == "TRADING",
        "isMarginTradingAllowed": False,
        "filters": filters(market),
        "permissions": [],
        "permissionSets": [["SPOT"]] if permission_sets else [],
        "defaultSelfTradePreventionMode": "NONE",
        "allowedSelfTradePreventionModes": ["NONE"],
    }


def futures_row(market: Listed) -> dict[str, Any]:
    """Return a contract as the futures' "Exchange Information" lists it."""
    return {
        "symbol": market.symbol,
        "pair": market.symbol,
        "contractType": "PERPETUAL",
        "deliveryDate": 4133404800000,
        "onboardDate": 1569398400000,
        "status": market.status,
        "maintMarginPercent": "2.5000",
        "requiredMarginPercent": "5.0000",
        "baseAsset": market.base,
        "quoteAsset": market.quote,
        "marginAsset": market.quote,
        "pricePrecision": 2,
        "quantityPrecision": 3,
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": ["PoW"],
        "triggerProtect": "0.0500",
        "liquidationFee": "0.012500",
        "marketTakeBound": "0.05",
        "maxMoveOrderLimit": 10000,
        "filters": [
            *filters(market)[:2],
            {"filterType": "MIN_NOTIONAL", "notional": "5"},
        ],
        "orderTypes": ["LIMIT", "MARKET", "STOP"],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX", "GTD"],
    }


RATE_LIMITS: Final[Mapping[str, Sequence[Mapping[str, Any]]]] = {
    "spot": (
        {
            "rateLimitType": "REQUEST_WEIGHT",
            "interval": "MINUTE",
            "intervalNum": 1,
            "limit": 6000,
        },
        {
            "rateLimitType": "ORDERS",
            "interval": "SECOND",
            "intervalNum": 10,
            "limit": 50,
        },
        {
            "rateLimitType": "ORDERS",
            "interval": "DAY",
            "intervalNum": 1,
            "limit": 160_000,
        },
        {
            "rateLimitType": "RAW_REQUESTS",
            "interval": "MINUTE",
            "intervalNum": 5,
            "limit": 300_000,
        },
    ),
    "futures": (
        {
            "rateLimitType": "REQUEST_WEIGHT",
            "interval": "MINUTE",
            "intervalNum": 1,
            "limit": 2400,
        },
        {
            "rateLimitType": "ORDERS",
            "interval": "MINUTE",
            "intervalNum": 1,
            "limit": 1200,
        },
    ),
}
WEIGHT_LIMITS: Final = {
    segment: limits[0]["limit"] for segment, limits in RATE_LIMITS.items()
}
