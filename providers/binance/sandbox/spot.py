"""The answers about spot. Source: rest-api.md."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from providers.sandbox.wire import Answer, Asked

from . import errors
from .contracts import Contracts
from .holding import ZERO, Row, orders_of, trades_of
from .keys import network_of
from .listing import DAY, Stretch, listed
from .markets import RATE_LIMITS, SPOT, Listed, plain, spot_row
from .params import Params
from .rows import spot_order, spot_trade

ARCHIVED_AFTER: Final = 90 * DAY
ENDED: Final = ("CANCELED", "EXPIRED")


class Spot(Contracts):
    """The part of the exchange that answers under /api and /sapi."""

    def ping(self, asked: Asked) -> Answer:
        return Answer.of({})

    def time(self, asked: Asked) -> Answer:
        return Answer.of({"serverTime": self.milliseconds()})

    def exchange_info(self, asked: Asked) -> Answer:
        params = Params.of(asked)
        status = params.optional("symbolStatus")
        wanted = wanted_symbols(params, SPOT)
        if status and wanted is not None:
            raise errors.unmatched()
        shows = params.sent.get("showPermissionSets", "true") == "true"
        params.flag("showPermissionSets")
        params.optional("permissions")
        params.close()
        names = SPOT if wanted is None else wanted
        rows = [
            spot_row(SPOT[name], permission_sets=shows)
            for name in names
            if not status or SPOT[name].status == status
        ]
        about = {"timezone": "UTC", "serverTime": self.milliseconds()}
        limits = {"rateLimits": list(RATE_LIMITS["spot"]), "exchangeFilters": []}
        return Answer.of({**about, **limits, "symbols": rows})

    def ticker_price(self, asked: Asked) -> Answer:
        params = Params.of(asked)
        alone, status = params.sent.get("symbol"), params.optional("symbolStatus")
        wanted = wanted_symbols(params, SPOT)
        params.close()
        if alone and status not in (None, SPOT[alone].status):
            raise errors.no(-1220, "The symbol's status does not match the requested.")
        rows = [
            {"symbol": name, "price": self.last(name)}
            for name in (SPOT if wanted is None else wanted)
            if status in (None, SPOT[name].status)
        ]
        return Answer.of(rows[0] if alone else rows)

    def last(self, symbol: str) -> str:
        """Return the price of the last trade."""
        told: str | None = self.ledger.topic("prices:spot").get(symbol)
        return told or plain(SPOT[symbol].price)

    # -- the account

    def show_account(self, asked: Asked) -> Answer:
        account, params = self.authorized(asked), Params.of(asked)
        only = params.flag("omitZeroBalances")
        params.close()
        held, locked = self.held(account, "spot"), self.locked(account)
        assets = (
            held if only else {a: held.get(a, ZERO) for a in (*held, *everything())}
        )
        balances = [
            {
                "asset": asset,
                "free": plain(amount - locked.get(asset, ZERO)),
                "locked": plain(locked.get(asset, ZERO)),
            }
            for asset, amount in assets.items()
            if amount or not only
        ]
        return Answer.of({**_about(self, account), "balances": balances})

    def open_spot(self, asked: Asked) -> Answer:
        account, params = self.authorized(asked), Params.of(asked)
        symbol = params.optional("symbol")
        params.close()
        if symbol is not None and symbol not in SPOT:
            raise errors.symbol_unknown()
        rows = [
            row
            for row in self.open_orders(account, "spot")
            if symbol in (None, row["symbol"])
        ]
        return Answer.of(listed(rows, spot_order))

    def spot_order(self, asked: Asked) -> Answer:
        account, params = self.authorized(asked), Params.of(asked)
        known, row = self._sought(account, params, "spot", SPOT)
        if row is None or (known and row["client"] != known):
            raise errors.no(-2013, "Order does not exist.")
        if self.archived(row):
            text = "Order was canceled or expired with no executed qty over 90 days ago"
            raise errors.no(-2026, f"{text} and has been archived.")
        return Answer.of(spot_order(row))

    def _sought(
        self, account: Row, params: Params, segment: str, of: Mapping[str, Listed]
    ) -> tuple[str | None, Row | None]:
        """Return the client's id that was asked for, and the order."""
        symbol = market_asked(params, of)
        number, client = params.number("orderId"), params.optional("origClientOrderId")
        params.close()
        if number is None and client is None:
            text = "Param 'origClientOrderId' or 'orderId' must be sent, but both were "
            raise errors.no(-1102, text + "empty/null!")
        rows = self.ledger.topic(orders_of(segment, account, symbol))
        if number is not None:
            return client, rows.get(f"{number}")
        return None, next((r for r in rows.values() if r["client"] == client), None)

    def archived(self, order: Row) -> bool:
        """Say whether an order has ended so long ago, unfilled, that it is not told."""
        nothing = order["status"] in ENDED and not Decimal(order["filled"])
        return nothing and order["updated"] < self.milliseconds() - ARCHIVED_AFTER

    def all_orders(self, asked: Asked) -> Answer:
        account, params = self.authorized(asked), Params.of(asked)
        symbol = market_asked(params, SPOT)
        stretch = Stretch.of(params, "orderId", DAY)
        params.close()
        rows = self.ledger.topic(orders_of("spot", account, symbol)).values()
        told = stretch.of_rows(row for row in rows if not self.archived(row))
        return Answer.of(listed(told, spot_order))

    def my_trades(self, asked: Asked) -> Answer:
        account, params = self.authorized(asked), Params.of(asked)
        symbol = market_asked(params, SPOT)
        order = params.number("orderId")
        stretch = Stretch.of(params, "fromId", DAY)
        params.close()
        if order is not None and (stretch.start or stretch.end):
            raise errors.unmatched()
        rows = self.ledger.topic(trades_of("spot", account, symbol)).values()
        mine = (row for row in rows if order in (None, row["order"]))
        return Answer.of(
            listed(stretch.of_rows(mine), lambda row: spot_trade(symbol, row))
        )

    def order_count(self, asked: Asked) -> Answer:
        self.authorized(asked)
        Params.of(asked).close()
        return Answer.of(
            [
                {**limit, "count": 0}
                for limit in RATE_LIMITS["spot"]
                if limit["rateLimitType"] == "ORDERS"
            ]
        )

    def restrictions(self, asked: Asked) -> Answer:
        """Return what a key may do; there is no /sapi on the test network."""
        account = self.authorized(asked)
        Params.of(asked).close()
        may = self.ledger.topic("keys")[account["key"]]["may"]
        return Answer.of(
            {
                "ipRestrict": "from_some_addresses" in may,
                "createTime": account["opened"],
                "enableReading": "reading" in may,
                "enableSpotAndMarginTrading": "trading" in may,
                "enableWithdrawals": "withdrawals" in may,
                "enableInternalTransfer": "transfers" in may,
                "enableMargin": False,
                "enableFutures": "futures_trading" in may,
                "permitsUniversalTransfer": "transfers" in may,
                "enableVanillaOptions": False,
                "enableFixApiTrade": False,
                "enableFixReadOnly": False,
                "enablePortfolioMarginTrading": False,
            }
        )


def _about(exchange: Spot, account: Row) -> dict[str, Any]:
    rate = {"maker": "0.00100000", "taker": "0.00100000"}
    nothing = {"buyer": "0.00000000", "seller": "0.00000000"}
    return {
        "makerCommission": 10,
        "takerCommission": 10,
        "buyerCommission": 0,
        "sellerCommission": 0,
        "commissionRates": {**rate, **nothing},
        "canTrade": True,
        "canWithdraw": not account["network"],
        "canDeposit": not account["network"],
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": exchange.ledger.topic("touched").get(
            account["id"], account["opened"]
        ),
        "accountType": "SPOT",
        "permissions": ["SPOT"],
        "uid": int(account["id"]),
    }


def everything() -> list[str]:
    """Return every asset that is traded."""
    found = [asset for m in SPOT.values() for asset in (m.base, m.quote)]
    return list(dict.fromkeys(found))


def market_asked(params: Params, of: Mapping[str, Listed]) -> str:
    symbol = params.text("symbol")
    if symbol not in of:
        raise errors.symbol_unknown()
    return symbol


def wanted_symbols(params: Params, of: Mapping[str, Listed]) -> list[str] | None:
    """Return the markets that `symbol` or `symbols` name, or None where neither is sent."""
    one, many = params.optional("symbol"), params.names("symbols")
    if one is not None and many is not None:
        raise errors.unmatched()
    found = many if one is None else [one]
    if found is not None and not set(found) <= set(of):
        raise errors.symbol_unknown()
    return found


def segment_of(path: str) -> str:
    """Return which limit a path counts against."""
    network = network_of(path)
    inner = path.removeprefix(f"/{network}") if network else path
    return "futures" if inner.startswith("/fapi") else "spot"
