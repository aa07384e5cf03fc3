"""The answers about futures. Source: the USDⓈ-M futures' documentation, and its SDK."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from providers.sandbox.wire import Answer, Asked

from . import errors
from .holding import ZERO, Row, orders_of, trades_of
from .listing import DAY, Stretch, listed
from .markets import FUTURES, RATE_LIMITS, futures_row, plain
from .params import Params
from .rows import futures_order, futures_trade
from .spot import ENDED, Spot, market_asked, wanted_symbols

WEEK: Final = 7 * DAY
INCOME_KEPT: Final = 90 * DAY
KEPT: Final = 183 * DAY  # trades of the last six months
UNFILLED_KEPT: Final = 3 * DAY
ORDERS_KEPT: Final = 90 * DAY
WALLETS: Final = ("USDT", "USDC", "BNB")  # listed also where they are empty


class Futures(Spot):
    """The part of the exchange that answers under /fapi."""

    def futures_info(self, asked: Asked) -> Answer:
        about = {"timezone": "UTC", "serverTime": self.milliseconds()}
        limits = {"rateLimits": list(RATE_LIMITS["futures"]), "exchangeFilters": []}
        assets = [
            {"asset": a, "marginAvailable": True, "autoAssetExchange": "-10000"}
            for a in WALLETS
        ]
        rows = [futures_row(market) for market in FUTURES.values()]
        return Answer.of({**about, **limits, "assets": assets, "symbols": rows})

    def futures_prices(self, asked: Asked) -> Answer:
        params = Params.of(asked)
        alone = params.sent.get("symbol")
        names = wanted_symbols(params, FUTURES)
        params.close()
        now = self.milliseconds()
        rows = [
            {"symbol": name, "price": plain(self.mark(name)), "time": now}
            for name in (FUTURES if names is None else names)
        ]
        return Answer.of(rows[0] if alone else rows)

    def wallets(self, account: Row) -> dict[str, dict[str, Decimal]]:
        """Return what each wallet comes to, by asset."""
        held = self.held(account, "futures")
        names = dict.fromkeys((*held, *WALLETS))
        return {a: self.wallet(account, a, held.get(a, ZERO)) for a in names}

    def futures_balance(self, asked: Asked) -> Answer:
        account = self.authorized(asked, "futures")
        Params.of(asked).close()
        now = self.milliseconds()
        return Answer.of(
            [
                {
                    "accountAlias": account["alias"],
                    "asset": asset,
                    "balance": plain(wallet["balance"]),
                    "crossWalletBalance": plain(wallet["balance"]),
                    "crossUnPnl": plain(wallet["profit"]),
                    "availableBalance": plain(wallet["available"]),
                    "maxWithdrawAmount": plain(wallet["withdrawable"]),
                    "marginAvailable": True,
                    "updateTime": now,
                }
                for asset, wallet in self.wallets(account).items()
            ]
        )

    def futures_account(self, asked: Asked) -> Answer:
        account = self.authorized(asked, "futures")
        Params.of(asked).close()
        wallets = self.wallets(account)
        dollars = [w for a, w in wallets.items() if a.startswith("USD")]
        total = plain(sum((w["balance"] for w in dollars), ZERO))
        profit = plain(sum((w["profit"] for w in dollars), ZERO))
        assets = [
            {
                "asset": asset,
                "walletBalance": plain(wallet["balance"]),
                "unrealizedProfit": plain(wallet["profit"]),
                "marginBalance": plain(wallet["balance"] + wallet["profit"]),
                "availableBalance": plain(wallet["available"]),
                "maxWithdrawAmount": plain(wallet["withdrawable"]),
                "updateTime": 0,
            }
            for asset, wallet in wallets.items()
        ]
        about = {"totalWalletBalance": total, "totalUnrealizedProfit": profit}
        return Answer.of({**about, "assets": assets, "positions": []})

    def position_risk(self, asked: Asked) -> Answer:
        account, params = self.authorized(asked, "futures"), Params.of(asked)
        symbol = params.optional("symbol")
        params.close()
        rows = [
            self.position_row(account, name, position)
            for name, position in self.positions(account).items()
            if Decimal(position["amount"]) and symbol in (None, name)
        ]
        return Answer.of(rows)

    def position_row(self, account: Row, symbol: str, position: Row) -> dict[str, Any]:
        """Return a position. Source: "Position Information V3"."""
        mark, amount = self.mark(symbol), Decimal(position["amount"])
        margin = plain(abs(amount) * mark / 10)
        return {
            "symbol": symbol,
            "positionSide": "BOTH",
            "positionAmt": plain(amount),
            "entryPrice": position["entry"],
            "breakEvenPrice": position["entry"],
            "markPrice": plain(mark),
            "unRealizedProfit": plain(self.profit(symbol, position)),
            "liquidationPrice": "0",
            "isolatedMargin": "0",
            "notional": plain(amount * mark),
            "marginAsset": FUTURES[symbol].quote,
            "isolatedWallet": "0",
            "initialMargin": margin,
            "maintMargin": plain(abs(amount) * mark / 40),
            "positionInitialMargin": margin,
            "openOrderInitialMargin": "0",
            "adl": 2,
            "bidNotional": "0",
            "askNotional": "0",
            "updateTime": position["updated"],
        }

    def open_futures(self, asked: Asked) -> Answer:
        account, params = self.authorized(asked, "futures"), Params.of(asked)
        symbol = params.optional("symbol")
        params.close()
        rows = [
            row
            for row in self.open_orders(account, "futures")
            if symbol in (None, row["symbol"])
        ]
        return Answer.of(listed(rows, futures_order))

    def futures_order(self, asked: Asked) -> Answer:
        account, params = self.authorized(asked, "futures"), Params.of(asked)
        _, row = self._sought(account, params, "futures", FUTURES)
        if row is None or self.gone(row):
            raise errors.no(-2013, "Order does not exist.")
        return Answer.of(futures_order(row))

    def gone(self, order: Row) -> bool:
        """Say whether an order is so old that the futures do not know it any more."""
        age = self.milliseconds() - order["time"]
        nothing = order["status"] in ENDED and not Decimal(order["filled"])
        longest = UNFILLED_KEPT if nothing else ORDERS_KEPT
        return bool(age > longest)

    def all_futures(self, asked: Asked) -> Answer:
        account, params = self.authorized(asked, "futures"), Params.of(asked)
        symbol = market_asked(params, FUTURES)
        stretch = self.within_a_week(Stretch.of(params, "orderId", WEEK))
        params.close()
        rows = self.ledger.topic(orders_of("futures", account, symbol)).values()
        told = stretch.of_rows(row for row in rows if not self.gone(row))
        return Answer.of(listed(told, futures_order))

    def user_trades(self, asked: Asked) -> Answer:
        account, params = self.authorized(asked, "futures"), Params.of(asked)
        symbol = market_asked(params, FUTURES)
        order = params.number("orderId")
        stretch = self.within_a_week(Stretch.of(params, "fromId", WEEK))
        params.close()
        rows = self.ledger.topic(trades_of("futures", account, symbol)).values()
        oldest = self.milliseconds() - KEPT
        mine = (r for r in rows if order in (None, r["order"]) and r["time"] >= oldest)
        return Answer.of(
            listed(stretch.of_rows(mine), lambda row: futures_trade(symbol, row))
        )

    def income(self, asked: Asked) -> Answer:
        """Return what was paid and earned. Source: "Get Income History"."""
        account, params = self.authorized(asked, "futures"), Params.of(asked)
        wanted, kind = params.optional("symbol"), params.optional("incomeType")
        stretch = Stretch.of(params, "page", INCOME_KEPT)
        if stretch.start is None and stretch.end is None:
            stretch = self.within_a_week(stretch)
        params.close()
        rows = [
            row
            for symbol in FUTURES
            if wanted in (None, symbol)
            for trade in self.ledger.topic(
                trades_of("futures", account, symbol)
            ).values()
            for row in earned(symbol, trade)
            if kind in (None, row["incomeType"])
        ]
        rows.sort(key=lambda row: row["time"])
        oldest = self.milliseconds() - INCOME_KEPT
        found = [row for row in rows if row["time"] >= oldest]
        return Answer.of(listed(stretch.of_rows(found), dict))

    def within_a_week(self, stretch: Stretch) -> Stretch:
        """Return the stretch that is told: a week from its start, or the last one."""
        if stretch.first is not None:
            return stretch
        start, end = stretch.start, stretch.end
        if start is None and end is None:
            start = self.milliseconds() - WEEK
            return Stretch(stretch.limit, None, start, None)
        if start is not None and end is None:
            end = start + WEEK
        return Stretch(stretch.limit, None, start, end)


def earned(symbol: str, trade: Row) -> list[Row]:
    """Return what a trade cost and brought, as the income's history tells it."""
    paid = {"incomeType": "COMMISSION", "income": plain(-Decimal(trade["fee"]))}
    gained = {"incomeType": "REALIZED_PNL", "income": trade["pnl"]}
    about = {"symbol": symbol, "asset": trade["fee_asset"], "info": f"{trade['id']}"}
    ids = {"tranId": trade["id"], "tradeId": f"{trade['id']}", "time": trade["time"]}
    both = [paid, gained] if Decimal(trade["pnl"]) else [paid]
    return [{**about, **ids, **each} for each in both]
