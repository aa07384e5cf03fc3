"""What is traded at this Coinbase, and at what price when nothing has happened yet."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

# name → price, in the quote's whole units; futures have a contract's size and its root
PAIRS: Final[Mapping[str, str]] = {
    "BTC-USD": "68923.67",
    "ETH-USD": "3076.92",
    "SOL-USD": "187.41",
    "ADA-USD": "0.4628",
    "XRP-USD": "0.6091",
    "DOGE-USD": "0.12843",
    "LTC-USD": "84.55",
    "LINK-USD": "14.273",
    "AVAX-USD": "27.36",
    "DOT-USD": "6.814",
    "UNI-USD": "9.462",
    "ATOM-USD": "7.135",
    "BTC-USDC": "68930.11",
    "ETH-BTC": "0.04464",
    "BTC-GBP": "54120.38",
    "ETH-GBP": "2415.74",
    "SOL-GBP": "147.09",
}
FUTURES: Final[Mapping[str, tuple[str, str, str]]] = {
    "BIT-24DEC27-CDE": ("BTC", "0.01", "69165"),
    "ET-24DEC27-CDE": ("ETH", "0.1", "3090.5"),
}
MAKER, TAKER = Decimal("0.004"), Decimal("0.006")  # of what a fill cost


def row(name: str, price: str) -> dict[str, Any]:
    """Return a product as it is listed."""
    if name in FUTURES:
        root, size, _ = FUTURES[name]
        details = {"contract_root_unit": root, "contract_size": size, "venue": "cde"}
        return _row(name, price, "", "USD", "FUTURE") | {
            "future_product_details": {**details, "contract_code": name.split("-")[0]}
        }
    base, quote = name.split("-")
    return _row(name, price, base, quote, "SPOT")


def _row(name: str, price: str, base: str, quote: str, kind: str) -> dict[str, Any]:
    return {
        "product_id": name,
        "price": price,
        "price_percentage_change_24h": "0",
        "volume_24h": "11005.02587005",
        "base_increment": "0.00000001" if base else "1",
        "quote_increment": "0.01",
        "base_name": base,
        "quote_name": quote,
        "is_disabled": False,
        "status": "online" if base else "",
        "trading_disabled": False,
        "product_type": kind,
        "quote_currency_id": quote,
        "base_currency_id": base,
        "price_increment": "0.01",
        "display_name": name,
        "product_venue": "CBE" if base else "FCM",
    }
