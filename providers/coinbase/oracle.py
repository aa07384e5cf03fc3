"""Coinbase's own client against the sandbox. Runs in an environment of its own.

Takes `{"hosts": …, "customer": …}` as JSON and tells what it saw, as JSON. The client is as
Coinbase publishes it; only its connections are led to the sandbox, for it knows no other
scheme than https. So its tokens name the real host.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from decimal import Decimal, localcontext
from importlib.metadata import version
from typing import Any
from urllib.request import Request, urlopen

from coinbase import jwt_generator  # type: ignore[import-not-found]
from coinbase.rest import RESTClient  # type: ignore[import-not-found]
from coinbase.websocket import WSUserClient  # type: ignore[import-not-found]
from requests.adapters import HTTPAdapter

REAL = "https://api.coinbase.com"
EDWARD = "edward"
PATIENCE = 200  # looks, of 50 milliseconds
Client = Any


class Detour(HTTPAdapter):
    """Leads what is meant for Coinbase to another address."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self.address = address

    def send(self, request: Any, *more: Any, **kwargs: Any) -> Any:
        request.url = self.address + request.url.removeprefix(REAL)
        return super().send(request, *more, **kwargs)


def run(hosts: dict[str, str], customer: dict[str, Any]) -> dict[str, Any]:
    """Read everything, page by page, hear an order change, and be refused where forged."""
    logging.disable()
    given = customer["credentials"]
    key = {"api_key": given["key_name"], "api_secret": given["private_key"]}
    client = RESTClient(**key)
    client.session.mount(REAL, Detour(hosts["api"]))
    heard = listen(hosts, key, customer["name"])
    return {
        "client": f"coinbase-advanced-py {version('coinbase-advanced-py')}",
        "balances": balances(client),
        "orders": {
            o["order_id"]: [o["status"], o["filled_size"], o["total_fees"]]
            for o in pages(client.list_orders, "orders")
        },
        "trades": {
            f["entry_id"]: [f["price"], f["size"], f["commission"]]
            for f in pages(client.get_fills, "fills")
        },
        "heard": heard,
        "permissions": client.get_api_key_permissions().to_dict(),
        "refused": refusals(client, key),
        "edwards": edwards(hosts),
    }


def balances(client: Client) -> dict[str, str]:
    """Return what every account holds, in minor units of eighteen decimals."""
    found = {}
    with localcontext() as context:
        context.prec = 100
        for row in pages(client.get_accounts, "accounts"):
            total = sum(Decimal(row[n]["value"]) for n in ("available_balance", "hold"))
            found[row["uuid"]] = str(int(Decimal(total).scaleb(18)))
    return found


def pages(ask: Any, name: str) -> list[dict[str, Any]]:
    """Return the rows of a list, three to a page."""
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        told = ask(limit=3, cursor=cursor).to_dict()
        found += told[name]
        cursor = told.get("cursor")
        if not cursor or not told[name]:
            return found


def listen(hosts: dict[str, str], key: dict[str, str], name: str) -> dict[str, str]:
    """Return the orders that the stream told of, by their last state; one is new."""
    frames: list[dict[str, Any]] = []
    socket = WSUserClient(
        **key,
        base_url=hosts["stream"],
        on_message=lambda text: frames.append(json.loads(text)),
        retry=False,
    )
    socket.open()
    socket.heartbeats()
    socket.user(product_ids=[])
    wait(lambda: {"heartbeats", "user"} <= {f["channel"] for f in frames}, "snapshot")
    wish = {"product": "BTC-GBP", "side": "buy", "size": "0.001", "price": "40000"}
    placed = do(hosts, "place_order", name=name, **wish)
    do(hosts, "fill_order", order=placed)
    wait(lambda: states(frames).get(placed) == "FILLED", "news of the order")
    socket.close()
    numbers = [frame["sequence_num"] for frame in frames]
    assert numbers == list(range(len(numbers)))
    return states(frames)


def states(frames: list[dict[str, Any]]) -> dict[str, str]:
    told = [f for f in frames if f["channel"] == "user"]
    rows = [row for f in told for event in f["events"] for row in event["orders"]]
    return {row["order_id"]: row["status"] for row in rows}


def refusals(client: Client, key: dict[str, str]) -> list[str]:
    """Return which forgeries were refused: all of them, or the judge finds one missing."""
    path = "/api/v3/brokerage/accounts"
    names = key["api_key"], key["api_secret"]
    right = jwt_generator.build_rest_jwt(f"GET api.coinbase.com{path}", *names)
    middle = len(right) - 40
    other = "A" if right[middle] != "A" else "B"
    forged = {
        "changed signature": right[:middle] + other + right[middle + 1 :],
        "for another path": jwt_generator.build_rest_jwt(
            "GET api.coinbase.com/", *names
        ),
        "for no path": jwt_generator.build_ws_jwt(*names),
    }
    asked = {**forged, "right": right, "used again": right}
    status = {
        what: client.session.get(REAL + path, headers={"Authorization": f"Bearer {t}"})
        for what, t in asked.items()
    }
    assert status.pop("right").status_code == 200
    return sorted(what for what, answer in status.items() if answer.status_code == 401)


def edwards(hosts: dict[str, str]) -> dict[str, str]:
    """Return what somebody holds whose key is of the other kind, Ed25519."""
    made = control(hosts, "world", names=[EDWARD], algorithm="EdDSA")["customers"][0]
    given = made["credentials"]
    client = RESTClient(api_key=given["key_name"], api_secret=given["private_key"])
    client.session.mount(REAL, Detour(hosts["api"]))
    return balances(client)


def do(hosts: dict[str, str], what: str, **about: Any) -> Any:
    """Let something happen at the exchange."""
    return control(hosts, "do", what=what, **about)["done"]


def control(hosts: dict[str, str], verb: str, **about: Any) -> Any:
    """Ask the sandbox's control endpoint, which is no part of what is judged."""
    root, _, slug = hosts["api"].rpartition("/")
    body = json.dumps({"slug": slug, **about}).encode()
    headers = {"Content-Type": "application/json"}
    with urlopen(Request(f"{root}/_control/{verb}", body, headers)) as answer:
        return json.load(answer)


def wait(is_so: Any, what: str) -> None:
    for _ in range(PATIENCE):
        if is_so():
            return
        time.sleep(0.05)
    raise AssertionError(f"{what} did not come")


if __name__ == "__main__":
    print(json.dumps(run(**json.load(sys.stdin))))
