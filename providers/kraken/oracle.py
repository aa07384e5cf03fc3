"""Clients written by others, against the sandbox. Runs in an environment of its own.

Takes `{"hosts": …, "customer": …}` as JSON and tells what each client saw, as JSON. Nothing
of the clients is changed but where they speak to.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from decimal import Decimal
from importlib.metadata import version
from typing import Any
from urllib.request import Request, urlopen

import ccxt  # type: ignore[import-not-found]
import ccxt.pro  # type: ignore[import-not-found]
from kraken.exceptions import (  # type: ignore[import-not-found]
    KrakenInvalidSignatureError,
)
from kraken.spot import SpotWSClient, User  # type: ignore[import-not-found]

PATIENCE = 30.0  # seconds for what a stream has to tell
OPEN_ORDERS = 2  # of the demo's customer
Told = dict[str, Any]
Do = Callable[..., Any]


def main(hosts: dict[str, str], customer: Told) -> list[Told]:
    """Let each client hear what happens, and then read everything there is.

    Each has a key of its own, as Kraken advises: their nonces differ in size.
    """
    accounts = {a["external_id"]: a["asset"] for a in customer["accounts"]}
    # The SDK forgets whatever path stands behind a host.
    hosts = {name: url.removesuffix("/kraken") for name, url in hosts.items()}
    do = happening(hosts["api"])
    told = []
    for client in (sdk_stream, ccxt_stream, sdk_rest, ccxt_rest):
        made = do("add_key", name=customer["name"])
        key, secret = made["api_key"], made["api_secret"]
        told.append(client(hosts, key, secret, accounts, do))
    return told


def happening(root: str) -> Do:
    """Return what asks the sandbox's own controls, over which nothing is judged."""

    def do(what: str, **about: Any) -> Any:
        body = json.dumps({"what": what, **about}).encode()
        with urlopen(Request(f"{root}/_control/do", body, method="POST")) as answer:
            return json.load(answer)["done"]

    return do


def minor(amount: Any, asset: str) -> str:
    """Return whole units as minor units; a float is taken for what it prints."""
    decimals = int(asset.partition("/")[2])
    return str(int((Decimal(str(amount)) * 10**decimals).to_integral_exact()))


def traded(do: Do) -> str:
    """Let an order be placed and filled; return the trade's id."""
    wish = {"market": "ETH/USD", "side": "sell", "quantity": "0.5", "price": "3200.00"}
    order = do("place_order", name="alex", **wish)
    return str(do("fill_order", order=order))


def paid(do: Do, code: str) -> str:
    """Let 12.5 of an asset come in; return the ledger's id."""
    wish = {"code": code, "amount": "12.5"}
    return str(do("deposit", name="alex", **wish))


# -- python-kraken-sdk

SDK = f"python-kraken-sdk {version('python-kraken-sdk')}"


def sdk_rest(
    hosts: dict[str, str], key: str, secret: str, accounts: dict[str, str], do: Do
) -> Told:
    """Read balances, orders, trades and the ledger, and be refused with a wrong secret."""
    user = User(key=key, secret=secret, url=hosts["api"])
    owner = next(iter(accounts)).partition(":")[0]
    held = {f"{owner}:{id}": row["balance"] for id, row in user.get_balances().items()}
    orders = {**user.get_open_orders()["open"], **user.get_closed_orders()["closed"]}
    one = next(iter(orders))
    assert user.get_orders_info(txid=one)[one] == orders[one]
    trades = user.get_trades_history()["trades"]
    assert not user.get_open_positions()
    assert user.get_ledgers_info()["count"] >= len(trades)
    return {
        "client": f"{SDK} over REST",
        "balances": {id: minor(total, accounts[id]) for id, total in held.items()},
        "orders": {id: sdk_order(row) for id, row in orders.items()},
        "trades": {id: sdk_trade(row) for id, row in trades.items()},
        "refused": sdk_refused(hosts["api"], key),
    }


def sdk_order(row: Told) -> Told:
    told = {"status": row["status"], "quantity": row["vol"], "filled": row["vol_exec"]}
    about = {"side": row["descr"]["type"], "price": row["descr"]["price"]}
    return {**told, **about, "cost": row["cost"], "fee": row["fee"]}


def sdk_trade(row: Told) -> Told:
    told = {"order": row["ordertxid"], "quantity": row["vol"], "side": row["type"]}
    return {**told, **{name: row[name] for name in ("price", "cost", "fee", "maker")}}


def sdk_refused(url: str, key: str) -> list[str]:
    """Return how a signature that another secret made is refused."""
    try:
        User(key=key, secret="A" * 88, url=url).get_balances()
    except KrakenInvalidSignatureError as error:
        return [type(error).__name__]
    return []


class Listener(SpotWSClient):  # type: ignore[misc]
    """Keeps every frame that the SDK hands on."""

    async def on_message(self, message: Told) -> None:
        self.frames = [*getattr(self, "frames", []), message]

    async def until(self, *words: str) -> Told:
        """Wait for a frame with all `words`, which may be here already."""
        async with asyncio.timeout(PATIENCE):
            while True:
                for frame in getattr(self, "frames", []):
                    if all(word in json.dumps(frame) for word in words):
                        return frame  # type: ignore[no-any-return]
                await asyncio.sleep(0.05)


def sdk_stream(
    hosts: dict[str, str], key: str, secret: str, accounts: dict[str, str], do: Do
) -> Told:
    """Take the snapshots, and follow a deposit and an order to its end."""
    snapshot, entry, fill = asyncio.run(sdk_heard(hosts, key, secret, do))
    owner = next(iter(accounts)).partition(":")[0]
    totals = {f"{owner}:{row['asset']}": row["balance"] for row in snapshot["data"]}
    # A snapshot counts all wallets of an asset: of this one there is a single one.
    usdt = f"{owner}:USDT"
    held = {usdt: minor(totals[usdt], accounts[usdt])}
    (euro,) = entry["data"]
    held[f"{owner}:ZEUR"] = minor(euro["balance"], accounts[f"{owner}:ZEUR"])
    (row,) = fill["data"]
    return {
        "client": f"{SDK} over WebSocket v2",
        "heard_balances": held,
        "heard_trades": {row["exec_id"]: sdk_fill(row)},
    }


async def sdk_heard(hosts: dict[str, str], key: str, secret: str, do: Do) -> list[Told]:
    where = {"rest_url": hosts["api"], "auth_ws_url": hosts["stream"]}
    async with Listener(key=key, secret=secret, no_public=True, **where) as client:
        await client.subscribe(params={"channel": "balances"})
        await client.subscribe(params={"channel": "executions"})
        snapshot = await client.until('"balances"', '"snapshot"', '"data"')
        begun = await client.until('"executions"', '"snapshot"', '"data"')
        assert len(begun["data"]) == OPEN_ORDERS
        entry = await client.until(paid(do, "ZEUR"))
        fill = await client.until(traded(do), '"exec_id"')
        await client.until(fill["data"][0]["order_id"], '"exec_type": "filled"')
    return [snapshot, entry, fill]


def sdk_fill(row: Told) -> Told:
    told = {"order": row["order_id"], "side": row["side"], "cost": row["cost"]}
    last = {"quantity": row["last_qty"], "price": row["last_price"]}
    return {**told, **last, "fee": row["fees"][0]["qty"]}


# -- ccxt

CCXT = f"ccxt {version('ccxt')}"


def aimed(client: Any, hosts: dict[str, str]) -> Any:
    """Return a client of ccxt that speaks to the sandbox."""
    urls = {**client.urls["api"], "public": hosts["public"], "private": hosts["api"]}
    streams = {name: f"{hosts['stream']}/v2" for name in urls.get("ws", {})}
    client.urls["api"] = {**urls, "ws": streams}
    client.number = str  # what it was told, not the nearest double
    return client


def ccxt_rest(
    hosts: dict[str, str], key: str, secret: str, accounts: dict[str, str], do: Do
) -> Told:
    """Read balances with what is free of them, orders and trades, by ccxt's own names."""
    client = aimed(ccxt.kraken({"apiKey": key, "secret": secret}), hosts)
    seen = client.fetch_balance()
    owner = next(iter(accounts)).partition(":")[0]
    rows = seen["info"]["result"]
    held = {f"{owner}:{code}": row["balance"] for code, row in rows.items()}
    for code, row in (("EUR", rows["ZEUR"]), ("ETH", rows["XETH"])):
        free = Decimal(row["balance"]) - Decimal(row["hold_trade"])
        assert Decimal(seen[code]["free"]) == free
    orders = [*client.fetch_open_orders(), *client.fetch_closed_orders()]
    return {
        "client": f"{CCXT} over REST",
        "balances": {id: minor(total, accounts[id]) for id, total in held.items()},
        "orders": {row["id"]: ccxt_order(row) for row in orders},
        "trades": {row["id"]: ccxt_trade(row) for row in client.fetch_my_trades()},
        "refused": ccxt_refused(hosts, key),
    }


def ccxt_order(row: Told) -> Told:
    told = {"market": row["symbol"], "side": row["side"], "status": row["status"]}
    amounts = {"quantity": row["amount"], "filled": row["filled"], "cost": row["cost"]}
    return {**told, **amounts, "price": row["price"], "fee": row["fee"]["cost"]}


def ccxt_trade(row: Told) -> Told:
    told = {"market": row["symbol"], "side": row["side"], "order": row["order"]}
    amounts = {"quantity": row["amount"], "price": row["price"], "cost": row["cost"]}
    return {**told, **amounts, "fee": row["fee"]["cost"]}


def ccxt_refused(hosts: dict[str, str], key: str) -> list[str]:
    forged = aimed(ccxt.kraken({"apiKey": key, "secret": "A" * 88}), hosts)
    try:
        forged.private_post_balance()
    except ccxt.BaseError as error:
        return [str(error)] if "Invalid signature" in str(error) else []
    return []


def ccxt_stream(
    hosts: dict[str, str], key: str, secret: str, accounts: dict[str, str], do: Do
) -> Told:
    """Follow a deposit and a trade by ccxt's own merging of frames."""
    seen, trades = asyncio.run(ccxt_heard(hosts, key, secret, do))
    id = next(id for id in accounts if id.endswith(":ADA"))
    return {
        "client": f"{CCXT} (ccxt.pro) over WebSocket v2",
        "heard_balances": {id: minor(seen["ADA"]["total"], accounts[id])},
        "heard_trades": {row["id"]: ccxt_trade(row) for row in trades},
    }


async def ccxt_heard(hosts: dict[str, str], key: str, secret: str, do: Do) -> Any:
    client = aimed(ccxt.pro.kraken({"apiKey": key, "secret": secret}), hosts)
    try:
        async with asyncio.timeout(PATIENCE):
            first = (await client.watch_balance())["ADA"]["total"]
            # A snapshot that begins with an order is one of orders to ccxt.
            await client.watch_my_trades(params={"snap_orders": False})
            paid(do, "ADA")
            trade = traded(do)
            # What ccxt has merged so far is where it keeps it.
            while client.balance["spot"]["ADA"]["total"] == first:
                await asyncio.sleep(0.05)
            while not (heard := [t for t in client.myTrades if t["id"] == trade]):
                await asyncio.sleep(0.05)
            return client.balance["spot"], heard
    finally:
        await client.close()


if __name__ == "__main__":
    print(json.dumps(main(**json.load(sys.stdin))))
