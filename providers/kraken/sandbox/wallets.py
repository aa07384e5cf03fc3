"""Balances as the WebSocket shows them: by asset, with its wallets inside."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final

from providers.sandbox.ledger import Holder

# Suffix → wallet; main wallets have none.
WALLETS: Final = {
    "": ("spot", "main"),
    "S": ("earn", "bonded"),
    "M": ("earn", "flex"),
    "B": ("earn", "flexible"),
    "F": ("earn", "liquid"),
}
TERM: Final = re.compile(r"(?<=[A-Z])[0-9]+$")  # DOT28.S is DOT for 28 days


def place_of(code: str) -> tuple[str, str, str]:
    """Return the asset a code belongs to, and the kind and id of its wallet."""
    base, dot, suffix = code.rpartition(".")
    if not dot:
        return code, *WALLETS[""]
    return TERM.sub("", base), *WALLETS.get(suffix, ("spot", "main"))


def snapshot_rows(held: Iterable[tuple[Holder, int]]) -> list[dict[str, Any]]:
    """Return a row for each asset: all that is held of it, wherever it is."""
    found: dict[str, list[dict[str, Any]]] = {}
    for holder, minor in held:
        base, kind, id = place_of(holder.asset.code)
        amount = Decimal(holder.asset.major(minor))
        found.setdefault(base, []).append({"type": kind, "id": id, "balance": amount})
    return [
        {
            "asset": base,
            "asset_class": "currency",
            "balance": sum(Decimal(wallet["balance"]) for wallet in wallets),
            "wallets": wallets,
        }
        for base, wallets in found.items()
    ]
