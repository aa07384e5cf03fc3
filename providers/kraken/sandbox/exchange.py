"""The exchange itself: its routes, its people, and what may happen there."""

from __future__ import annotations

from typing import Any

from providers.kraken.names import kind_of
from providers.money import MoneyError
from providers.sandbox.institution import Customer, Holding
from providers.sandbox.ledger import Holder

from .catalogue import SYMBOLS
from .judging import Judging
from .world import World

PRIVATE = {
    "Balance": "balance_page",
    "BalanceEx": "balance_ex",
    "TradeBalance": "trade_balance",
    "OpenOrders": "open_orders",
    "ClosedOrders": "closed_orders",
    "QueryOrders": "query_orders",
    "TradesHistory": "trades_history",
    "QueryTrades": "query_trades",
    "OpenPositions": "open_positions",
    "Ledgers": "ledgers",
    "QueryLedgers": "query_ledgers",
    "GetApiKeyInfo": "api_key_info",
    "GetWebSocketsToken": "websockets_token",
}
PUBLIC = {
    "Time": "time",
    "SystemStatus": "system_status",
    "Assets": "assets",
    "AssetPairs": "asset_pairs",
    "Ticker": "ticker",
}


class Exchange(Judging):
    mounts = {"api": "", "public": "", "stream": ""}
    routes = {
        **{("POST", f"/0/private/{verb}"): name for verb, name in PRIVATE.items()},
        **{
            (method, f"/0/public/{verb}"): name
            for verb, name in PUBLIC.items()
            for method in ("GET", "POST")
        },
    }
    happenings = (
        "stir",
        "place_order",
        "fill_order",
        "cancel_order",
        "expire_order",
        "open_position",
        "mark",
        "close_position",
        "deposit",
        "withdraw",
        "stake",
        "grant_credit",
        "quote",
        "revoke",
        "expire",
        "permit",
        "use_elsewhere",
        "add_key",
        "lock_out",
        "maintain",
        "expire_tokens",
    )

    def customer(self, name: str) -> Customer:
        person = self.ledger.topic("people")[name]
        credentials = {"api_key": person["key"], "api_secret": person["secret"]}
        return Customer(name, credentials, [_holding(h) for h in self.accounts(name)])

    def world(self, **wishes: Any) -> World:
        return World(self, **wishes)

    def stir(self, name: str | None = None) -> None:
        """Let somebody buy a little bitcoin, or sell it again."""
        with self.lock:
            name, market = name or self.first_customer, "BTC/USD"
            side = "sell" if len(self.ledger.topic("trades")) % 2 else "buy"
            price = str(self._price(SYMBOLS[market])["c"][0])
            order = self.place_order(name, market, side, "0.00100000", price)
            self.fill_order(order, maker=False)

    def spend(self, account: str, amount: int, **about: Any) -> Any:
        """Let somebody withdraw minor units; raises MoneyError for what is on hold."""
        owner, code = (self.ledger.holders[account].facts[k] for k in ("owner", "code"))
        if amount > self.ledger.held[account] - self.held(owner).get(code, 0):
            raise MoneyError("EFunding:Insufficient funds")
        return super().spend(account, amount, **about)


def _holding(held: Holder) -> Holding:
    return Holding(
        held.id, kind_of(held.asset.code)[0], held.asset.code, str(held.asset)
    )
