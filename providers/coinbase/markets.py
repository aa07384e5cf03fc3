"""What is traded: pairs by their names, futures by what their contracts are made of.

Source: docs, "List Products" and "Get Product".
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from providers.base import Quote
from providers.trading import Market

from .fields import above_zero, perhaps, rows, text

ONE: Final = Decimal(1)


@dataclass(frozen=True, slots=True)
class Product:
    """A market, and how much of its base one unit of size is."""

    market: Market
    size: Decimal = ONE


Futures = Mapping[str, Product]


def is_pair(name: str) -> bool:
    """Say whether a product is a pair such as BTC-USD; futures have longer names."""
    return name.count("-") == 1


def product(name: Any, futures: Futures) -> Product:
    """Return what is called `name`; raises LookupError for an unknown future."""
    if not is_pair(text(name)):
        return futures[name]
    base, quote = name.split("-")
    return Product(Market(name, text(base), text(quote)))


def futures(wanted: Collection[str], body: Any) -> dict[str, Product]:
    """Return those contracts that are listed; an expired one is, where all are asked for."""
    return {
        row["product_id"]: _future(row)
        for row in rows(body, "products")
        if row["product_id"] in wanted
    }


def _future(row: Mapping[str, Any]) -> Product:
    """Return a contract, whose size says how much of what one of it stands for."""
    about = row["future_product_details"]
    market = Market(
        text(row["product_id"]),
        text(about["contract_root_unit"]),
        text(row["quote_currency_id"]),
        "futures",
    )
    return Product(market, above_zero(about["contract_size"]))


def futures_among(names: Iterable[str]) -> list[str]:
    """Return the names of futures, each once."""
    return [name for name in dict.fromkeys(names) if not is_pair(name)]


def quotes(codes: Collection[str], base: str, body: Any) -> list[Quote]:
    """Return the last prices at which `codes` were sold for `base`."""
    wanted = [
        row
        for row in rows(body, "products")
        if row["quote_currency_id"] == base and row["base_currency_id"] in codes
    ]
    # What is not traded any more has no price, or none above zero.
    priced = [(row["base_currency_id"], perhaps(row["price"])) for row in wanted]
    return [Quote(code, base, price) for code, price in priced if price]
