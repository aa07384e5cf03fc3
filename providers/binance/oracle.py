"""Clients written by others against the sandbox. Runs in an environment of its own.

Takes `{"hosts": …, "customer": …}` as JSON and tells what Binance's own clients and ccxt
saw, over REST and by stream, as JSON. They are as they are published; only their addresses
are the sandbox's.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Callable
from decimal import Decimal
from importlib.metadata import version
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import ccxt  # type: ignore[import-not-found]
import ccxt.pro  # type: ignore[import-not-found]
import requests
from binance_common.configuration import (  # type: ignore[import-not-found]
    ConfigurationRestAPI,
    ConfigurationWebSocketAPI,
    ConfigurationWebSocketStreams,
)
from binance_sdk_derivatives_trading_usds_futures import (  # type: ignore[import-not-found]
    derivatives_trading_usds_futures as usds,
)
from binance_sdk_spot.spot import Spot  # type: ignore[import-not-found]

CLIENTS = (
    "binance-sdk-spot",
    "binance-sdk-derivatives-trading-usds-futures",
    "ccxt",
)
SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
PATIENCE = 200  # looks, of 50 milliseconds
Client = Any
Rows = list[dict[str, Any]]


class Oracle:
    """All clients of one customer, and what they have told so far."""

    def __init__(self, hosts: dict[str, str], customer: dict[str, Any]) -> None:
        self.hosts, self.name = hosts, customer["name"]
        self.given = customer["credentials"]
        self.spot = self.spot_client(self.given)
        self.futures = self.futures_client()

    # -- the clients

    def spot_client(self, given: dict[str, str]) -> Client:
        """Return Binance's client of spot, with the kind of key that was given."""
        key = {"api_key": given["api_key"]}
        if given["private_key"]:
            key["private_key"] = given["private_key"]
        else:
            key["api_secret"] = given["api_secret"]
        return Spot(
            config_rest_api=ConfigurationRestAPI(
                **key, base_path=self.hosts["api"], timeout=10_000
            ),
            config_ws_api=ConfigurationWebSocketAPI(
                **key, stream_url=self.hosts["stream"]
            ),
        )

    def futures_client(self) -> Client:
        key = {"api_key": self.given["api_key"], "api_secret": self.given["api_secret"]}
        stream = self.hosts["futures_stream"] + "/stream"
        return usds.DerivativesTradingUsdsFutures(
            config_rest_api=ConfigurationRestAPI(
                **key, base_path=self.hosts["futures"], timeout=10_000
            ),
            config_ws_streams=ConfigurationWebSocketStreams(stream_url=stream),
        )

    def ccxt_client(self, kind: Any, secret: str | None = None) -> Client:
        """Return ccxt's client; every address it has is the sandbox's."""
        options = {"fetchMarkets": {"types": ["spot"]}, "fetchCurrencies": False}
        client = kind(
            {
                "apiKey": self.given["api_key"],
                "secret": secret or self.given["api_secret"],
                "options": {**options, "fetchMargins": False},
            }
        )
        client.number = str
        client.urls["api"] = self.led_here(client.urls["api"])
        return client

    def led_here(self, urls: Any) -> Any:
        if isinstance(urls, dict):
            return {name: self.led_here(url) for name, url in urls.items()}
        parts = urlsplit(urls)
        if parts.netloc.startswith("ws-api."):
            return self.hosts["stream"]
        host = "futures" if parts.netloc.startswith("fapi") else "api"
        return self.hosts[host] + parts.path

    def do(self, what: str, **about: Any) -> Any:
        """Let something happen at the exchange, by the sandbox's control endpoint."""
        return self.control("/do", what=what, **about)["done"]

    def control(self, path: str, **body: Any) -> Any:
        root, _, slug = self.hosts["api"].rpartition("/")
        told = json.dumps({"slug": slug, **body}).encode()
        headers = {"Content-Type": "application/json"}
        with urlopen(Request(f"{root}/_control{path}", told, headers)) as answer:
            return json.load(answer)

    # -- what they see over REST

    def balances(self) -> dict[str, str]:
        """Return every balance in minor units, by balsync's names of the accounts."""
        account = plain(self.spot.rest_api.get_account(omit_zero_balances=True))
        found = {
            f"spot:{account['uid']}:{row['asset']}": [row["free"], row["locked"]]
            for row in account["balances"]
        }
        rows = plain(self.futures.rest_api.futures_account_balance_v3())
        found |= {
            f"futures:{row['accountAlias']}:{row['asset']}": [row["balance"]]
            for row in rows
            if Decimal(row["balance"])
        }
        return {id: minor(amounts) for id, amounts in found.items()}

    def orders(self) -> dict[str, list[str]]:
        """Return all orders of some symbols; the open ones must be those that are told."""
        read = self.spot.rest_api
        rows = [o for s in SYMBOLS for o in plain(read.all_orders(symbol=s))]
        told = {o["orderId"] for o in plain(read.get_open_orders())}
        assert told == {o["orderId"] for o in rows if o["status"] in LIVE}
        for order in rows:
            asked = {"symbol": order["symbol"], "order_id": order["orderId"]}
            one = plain(read.get_order(**asked))
            assert {n: one[n] for n in SAME} == {n: order[n] for n in SAME}
        rows_of_futures = [
            {**order, "symbol": f"futures:{order['symbol']}"}
            for symbol in SYMBOLS
            for order in plain(self.futures.rest_api.all_orders(symbol=symbol))
        ]
        return {
            f"{o['symbol']}:{o['orderId']}": [o["status"], o["executedQty"], o["price"]]
            for o in rows + rows_of_futures
        }

    def trades(self) -> dict[str, list[str]]:
        """Return all trades of some symbols, two to a page."""
        found = {}
        for symbol in SYMBOLS:
            first = 0
            while True:
                page = plain(
                    self.spot.rest_api.my_trades(symbol=symbol, from_id=first, limit=2)
                )
                for row in page:
                    figures = [
                        row["price"],
                        row["qty"],
                        row["commission"],
                        "0.00000000",
                    ]
                    found[f"{symbol}:{row['id']}"] = figures
                if len(page) < 2:
                    break
                first = page[-1]["id"] + 1
            read = self.futures.rest_api.account_trade_list
            for row in plain(read(symbol=symbol)):
                figures = [
                    row[n] for n in ("price", "qty", "commission", "realizedPnl")
                ]
                found[f"futures:{symbol}:{row['id']}"] = figures
        return found

    def positions(self) -> dict[str, list[str]]:
        rows = plain(self.futures.rest_api.position_information_v3())
        return {row["symbol"]: [row["positionAmt"], row["entryPrice"]] for row in rows}

    def agrees(self, orders: dict[str, list[str]], trades: dict[str, list[str]]) -> int:
        """Say how much ccxt read; it must have seen what Binance's own client saw."""
        client = self.ccxt_client(ccxt.binance)
        client.load_markets()
        account = client.fetch_balance()
        totals = {asset: minor([total]) for asset, total in account["total"].items()}
        for id, total in self.balances().items():
            if id.startswith("spot:"):
                assert totals[id.rpartition(":")[2]] == total, id
        read = 0
        for symbol in SYMBOLS:
            name = symbol.replace("USDT", "/USDT")
            for order in client.fetch_orders(name):
                known = orders[f"{symbol}:{order['id']}"]
                assert Decimal(order["filled"]) == Decimal(known[1])
                read += 1
            for trade in client.fetch_my_trades(name):
                known = trades[f"{symbol}:{trade['id']}"]
                assert Decimal(trade["amount"]) == Decimal(known[1])
                assert Decimal(trade["fee"]["cost"]) == Decimal(known[2])
                read += 1
        return read

    # -- what they hear

    async def listen(self) -> dict[str, Any]:
        """Return what each stream told of the last change."""
        eve = self.control("/world", names=["eve"], ed25519=True)["customers"][0]
        return {
            "session": await self.hear_spot(eve, log_on=True),
            "signature": await self.hear_spot(
                {"name": self.name, "credentials": self.given}, log_on=False
            ),
            "ccxt": await self.hear_ccxt(),
            "futures": await self.hear_futures(),
        }

    async def hear_spot(
        self, customer: dict[str, Any], *, log_on: bool
    ) -> dict[str, list[str]]:
        """Return the balances and the order that Binance's client of spot is told."""
        socket = self.spot_client(customer["credentials"]).websocket_api
        await socket.create_connection()
        if log_on:
            assert (await socket.session_logon()).data().result.api_key
            found = await socket.user_data_stream_subscribe()
        else:
            found = await socket.user_data_stream_subscribe_signature()
        events: Rows = []
        found.stream.on("message", lambda event: events.append(kept(event)))
        name, symbol = customer["name"], "BTCUSDT"
        self.do("deposit", name=name, asset="BTC", amount="0.5")
        about = {"name": name, "symbol": symbol}
        order = self.do(
            "place_order", **about, side="SELL", quantity="0.02", price="70000"
        )
        self.do("fill_order", **about, order=order, quantity="0.01")
        await until(lambda: states(events).get(order) == "PARTIALLY_FILLED")
        await until(lambda: kinds(events).count("OutboundAccountPosition") >= 3)
        await socket.close_connection(close_session=True)
        assert kinds(events)[0] == "BalanceUpdate", kinds(events)
        last = [e for e in events if e["e"] == "OutboundAccountPosition"][-1]
        return {row["a"]: [row["f"], row["l"]] for row in last["B"]}

    async def hear_ccxt(self) -> dict[str, list[str]]:
        """Return the balance that ccxt's stream is told, once an order has locked some."""
        client = self.ccxt_client(ccxt.pro.binance)
        about = {"name": self.name, "symbol": "ETHUSDT", "side": "SELL"}
        told: Rows = []

        async def watch() -> None:
            while True:
                told.append(await client.watch_balance())

        watching = asyncio.create_task(watch())
        try:
            # It does not say when it has subscribed, and seeds nothing before an event.
            locked = Decimal(0)
            while not told and locked < 1:
                self.do("place_order", **about, quantity="0.010", price="4000")
                locked += Decimal("0.010")
                await asyncio.sleep(0.5)
            await until(lambda: Decimal(told[-1]["ETH"]["used"]) == locked)
            return {"ETH": [told[-1]["ETH"]["free"], told[-1]["ETH"]["used"]]}
        finally:
            watching.cancel()
            await client.close()

    async def hear_futures(self) -> dict[str, list[str]]:
        """Return the wallet and the position that Binance's client of futures is told."""
        read, streams = self.futures.rest_api, self.futures.websocket_streams
        key = plain(read.start_user_data_stream())["listenKey"]
        assert plain(read.keepalive_user_data_stream())["listenKey"] == key
        await streams.create_connection()
        stream = await streams.user_data(key)
        events: Rows = []
        stream.on("message", lambda event: events.append(kept(event)))
        await asyncio.sleep(1)  # it does not say when it has subscribed
        about = {"name": self.name, "symbol": "BTCUSDT", "segment": "futures"}
        self.do("place_order", **about, side="SELL", quantity="0.02")
        await until(lambda: "AccountUpdate" in kinds(events))
        await streams.close_connection(close_session=True)
        (told,) = (e["a"] for e in events if e["e"] == "AccountUpdate")
        assert kinds(events).count("OrderTradeUpdate") == 2
        wallets = {row["a"]: [row["wb"]] for row in told["B"]}
        return wallets | {row["s"]: [row["pa"], row["ep"]] for row in told["P"]}

    # -- what is refused

    async def refusals(self) -> dict[str, int]:
        """Return with which code forgeries were refused."""
        client = self.ccxt_client(ccxt.binance)
        right = client.sign("account", ["private"])
        url, headers = right["url"], right["headers"]
        assert requests.get(url, headers=headers, timeout=10).status_code == 200
        changed = url[:-1] + ("0" if url[-1] != "0" else "1")
        more = url.replace("?", "?omitZeroBalances=true&")
        answers = {
            "changed signature": requests.get(changed, headers=headers, timeout=10),
            "other parameters": requests.get(more, headers=headers, timeout=10),
            "no key": requests.get(url, timeout=10),
        }
        found = {what: answer.json()["code"] for what, answer in answers.items()}
        wrong = {**self.given, "api_secret": self.given["api_secret"][::-1]}
        socket = self.spot_client(wrong).websocket_api
        await socket.create_connection()
        try:
            await socket.user_data_stream_subscribe_signature()
        except ValueError as error:
            found["subscription"] = error.args[0]["error"]["code"]
        await socket.close_connection(close_session=True)
        return found

    async def run(self) -> dict[str, Any]:
        heard = await self.listen()
        orders, trades = self.orders(), self.trades()
        return {
            "client": ", ".join(f"{name} {version(name)}" for name in CLIENTS),
            "balances": self.balances(),
            "orders": orders,
            "trades": trades,
            "positions": self.positions(),
            "heard": heard,
            "refused": await self.refusals(),
            "rows that ccxt read": self.agrees(orders, trades),
        }


SAME = ("orderId", "clientOrderId", "status", "executedQty", "cummulativeQuoteQty")
LIVE = ("NEW", "PARTIALLY_FILLED")


def plain(told: Any) -> Any:
    """Return what a client made of an answer as it was sent."""
    data = told.data() if callable(getattr(told, "data", None)) else told
    if isinstance(data, list):
        return [plain(row) for row in data]
    inner = getattr(data, "actual_instance", data)
    return inner.to_dict() if hasattr(inner, "to_dict") else inner


def kept(event: Any) -> dict[str, Any]:
    """Return an event with its kind, which its class has taken out of it."""
    inner = getattr(event, "actual_instance", event)
    return {**plain(event), "e": type(inner).__name__}


def minor(amounts: list[str]) -> str:
    return str(int(sum(map(Decimal, amounts), Decimal(0)).scaleb(8)))


def kinds(events: Rows) -> list[str]:
    return [event["e"] for event in events]


def states(events: Rows) -> dict[int, str]:
    reports = [event for event in events if event["e"] == "ExecutionReport"]
    return {report["i"]: report["X"] for report in reports}


async def until(is_so: Callable[[], bool]) -> None:
    for _ in range(PATIENCE):
        if is_so():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("It did not come")


async def main(hosts: dict[str, str], customer: dict[str, Any]) -> dict[str, Any]:
    return await Oracle(hosts, customer).run()


if __name__ == "__main__":
    logging.disable()
    print(json.dumps(asyncio.run(main(**json.load(sys.stdin)))))
