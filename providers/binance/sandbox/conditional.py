"""Orders that wait for a price. Source: the futures' "Algo" orders; ids are their own."""

from __future__ import annotations

from decimal import Decimal

from providers.sandbox.wire import Answer, Asked

from . import errors
from .futures import Futures
from .holding import Row
from .listing import listed
from .markets import FUTURES, plain
from .params import Params


class Conditional(Futures):
    """The part of the exchange that keeps conditional orders of futures."""

    def place_conditional(
        self, name: str, symbol: str, side: str, quantity: str, trigger: str
    ) -> int:
        """Place a stop, which becomes an order at the market; returns its id."""
        account = self.account_of(name)
        number = self.next_number("futures", FUTURES[symbol].symbol, "algos")
        now = self.milliseconds()
        row = {
            "algoId": number,
            "clientAlgoId": f"algo-by-hand-{number}",
            "algoType": "CONDITIONAL",
            "orderType": "STOP_MARKET",
            "symbol": symbol,
            "side": side,
            "positionSide": "BOTH",
            "timeInForce": "GTC",
            "quantity": plain(Decimal(quantity)),
            "algoStatus": "NEW",
            "actualOrderId": "",
            "actualPrice": "0.00000000",
            "triggerPrice": plain(Decimal(trigger)),
            "price": "0.00000000",
            "icebergQuantity": None,
            "selfTradePreventionMode": "EXPIRE_MAKER",
            "workingType": "CONTRACT_PRICE",
            "priceMatch": "NONE",
            "closePosition": False,
            "priceProtect": False,
            "reduceOnly": False,
            "createTime": now,
            "updateTime": now,
            "triggerTime": 0,
            "goodTillDate": 0,
        }
        self.ledger.put((_topic(account), f"{number}", row))
        return number

    def trigger_conditional(self, name: str, order: int) -> int:
        """Let a conditional order be triggered; returns the id of the order it makes."""
        row = self._waiting(name, order)
        about = (name, row["symbol"], row["side"], row["quantity"])
        made = self.place_order(*about, segment="futures")
        change = {"algoStatus": "FINISHED", "actualOrderId": f"{made}"}
        self._become(name, order, {**change, "triggerTime": self.milliseconds()})
        return made

    def cancel_conditional(self, name: str, order: int) -> None:
        """Cancel a conditional order."""
        self._waiting(name, order)
        self._become(name, order, {"algoStatus": "CANCELED"})

    def _waiting(self, name: str, order: int) -> Row:
        row: Row = self.ledger.topic(_topic(self.account_of(name)))[f"{order}"]
        if row["algoStatus"] != "NEW":
            raise ValueError("Unknown order sent.")
        return row

    def _become(self, name: str, order: int, change: Row) -> None:
        topic = _topic(self.account_of(name))
        row = self.ledger.topic(topic)[f"{order}"]
        after = {**row, **change, "updateTime": self.milliseconds()}
        self.ledger.put((topic, f"{order}", after))

    # -- answers

    def open_conditional(self, asked: Asked) -> Answer:
        """Return what waits. Source: "Current All Algo Open Orders"."""
        account, params = self.authorized(asked, "futures"), Params.of(asked)
        symbol = params.optional("symbol")
        params.close()
        rows = [
            row
            for row in self.ledger.topic(_topic(account)).values()
            if row["algoStatus"] == "NEW" and symbol in (None, row["symbol"])
        ]
        return Answer.of(listed(rows, dict))

    def conditional_order(self, asked: Asked) -> Answer:
        """Return one order. Source: "Query Algo Order"."""
        account, params = self.authorized(asked, "futures"), Params.of(asked)
        number = params.number("algoId")
        params.close()
        row = self.ledger.topic(_topic(account)).get(f"{number}")
        if row is None:
            raise errors.no(-2013, "Order does not exist.")
        return Answer.of(row)


def _topic(account: Row) -> str:
    return f"algos:{account['id']}"
