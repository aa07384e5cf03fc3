"""The exchange: both networks behind one door, with its limits and its bad days."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from providers.sandbox.institution import Customer
from providers.sandbox.institution import Holding as Held
from providers.sandbox.wire import Answer, Asked

from . import errors
from .holding import ZERO, holder_of
from .judging import Judging
from .keys import network_of
from .spot import segment_of
from .world import MARGIN, USUAL, Wish, World

Weight = Callable[[Mapping[str, str]], int]


def _one_or_all(one: int, every: int) -> Weight:
    return lambda sent: one if "symbol" in sent else every


# Path → name of the method and weight; the second network has all but /sapi.
READS: Final[Mapping[str, tuple[str, int | Weight]]] = {
    "/api/v3/ping": ("ping", 1),
    "/api/v3/time": ("time", 1),
    "/api/v3/exchangeInfo": ("exchange_info", 20),
    "/api/v3/ticker/price": ("ticker_price", _one_or_all(2, 4)),
    "/api/v3/account": ("show_account", 20),
    "/api/v3/openOrders": ("open_spot", _one_or_all(6, 80)),
    "/api/v3/order": ("spot_order", 4),
    "/api/v3/allOrders": ("all_orders", 20),
    "/api/v3/myTrades": ("my_trades", lambda sent: 5 if "orderId" in sent else 20),
    "/api/v3/rateLimit/order": ("order_count", 40),
    "/fapi/v1/ping": ("ping", 1),
    "/fapi/v1/time": ("time", 1),
    "/fapi/v1/exchangeInfo": ("futures_info", 1),
    "/fapi/v1/ticker/price": ("futures_prices", _one_or_all(1, 2)),
    "/fapi/v3/balance": ("futures_balance", 5),
    "/fapi/v3/account": ("futures_account", 5),
    "/fapi/v3/positionRisk": ("position_risk", 5),
    "/fapi/v1/openOrders": ("open_futures", _one_or_all(1, 40)),
    "/fapi/v1/order": ("futures_order", 1),
    "/fapi/v1/openAlgoOrders": ("open_conditional", _one_or_all(1, 40)),
    "/fapi/v1/algoOrder": ("conditional_order", 1),
    "/fapi/v1/allOrders": ("all_futures", 5),
    "/fapi/v1/userTrades": ("user_trades", 5),
    "/fapi/v1/income": ("income", 30),
}
ONLY_REAL: Final[Mapping[str, tuple[str, int | Weight]]] = {
    "/sapi/v1/account/apiRestrictions": ("restrictions", 1),
}
LISTENING: Final[Mapping[str, str]] = {
    "POST": "start_listening",
    "PUT": "keep_listening",
    "DELETE": "stop_listening",
}
ROUTES: Final = {
    **{
        (method, f"{network}/fapi/v1/listenKey"): name
        for method, name in LISTENING.items()
        for network in ("", "/testnet")
    },
    **{("GET", path): name for path, (name, _) in {**READS, **ONLY_REAL}.items()},
    **{("GET", f"/testnet{path}"): name for path, (name, _) in READS.items()},
}
WEIGHTS: Final = {path: weight for path, (_, weight) in {**READS, **ONLY_REAL}.items()}


class Binance(Judging):
    """The sandbox of Binance."""

    mounts = {
        "api": "",
        "futures": "",
        "stream": "/ws-api/v3",
        "futures_stream": "/fstream",
        "testnet": "/testnet",
        "testnet_futures": "/testnet",
        "testnet_stream": "/testnet/ws-api/v3",
        "testnet_futures_stream": "/testnet/fstream",
    }
    routes = ROUTES
    happenings = (
        "stir",
        "deposit",
        "withdraw",
        "lock_up",
        "place_order",
        "fill_order",
        "cancel_order",
        "expire_order",
        "price",
        "place_conditional",
        "trigger_conditional",
        "cancel_conditional",
        "revoke",
        "restrict",
        "server_shutdown",
        "end_subscriptions",
        "expire_listen_key",
        "maintenance",
        "reset_world",
    )

    def refusal(self, code: str) -> Answer:
        return errors.refusal(code)

    def stir(self, name: str | None = None) -> None:
        """Let somebody buy a little bitcoin, or sell it again."""
        with self.lock:
            name, symbol = name or self.first_customer, "BTCUSDT"
            even = int(self.ledger.topic("numbers").get(f"spot:{symbol}:orders", 0)) % 2
            self.place_order(name, symbol, "SELL" if even else "BUY", "0.00100")

    # -- limits

    def _speak(self, asked: Asked) -> Answer:
        if self.ledger.topic("maintenance").get(network_of(asked.path)):
            return errors.refusal("maintenance")
        about = asked.headers, network_of(asked.path), segment_of(asked.path)
        refused, used = self.weigh(*about, weight_of(asked))
        answer = super()._speak(asked) if refused is None else refused
        told = {"X-MBX-USED-WEIGHT": f"{used}", "X-MBX-USED-WEIGHT-1M": f"{used}"}
        return replace(answer, headers={**answer.headers, **told})

    # -- customers

    def world(self, *, testnet: bool = False, **wishes: Any) -> World:
        """Return what opens accounts; wishes: `testnet`, and the fields of `Wish`."""
        if testnet:
            wishes["network"] = "testnet"
        return World(self, Wish(**wishes))

    def customer(self, name: str) -> Customer:
        """Return what somebody holds; what is empty is not listed."""
        account = self.account_of(name)
        holdings = [
            Held(holder_of(account, segment, asset), kind, asset, f"{asset}/8")
            for segment, kind in (("spot", "exchange"), ("futures", "futures"))
            if segment in account["markets"]
            for asset, amount in self.held(account, segment).items()
            if amount
        ]
        return Customer(name, self._credentials(account), holdings)

    def _credentials(self, account: Mapping[str, Any]) -> Mapping[str, str]:
        key = self.ledger.topic("keys").get(account["key"], {})
        return {
            "api_key": account["key"],
            "api_secret": key.get("secret", ""),
            "private_key": key.get("private", ""),
            "markets": ",".join(account["markets"]),
            "testnet": "yes" if account["network"] else "",
        }

    def disputes(self, said: Mapping[str, Any]) -> list[str]:
        """Return where a client's tale parts from the books of the demo's customer."""
        account = self.account_of(self.first_customer)
        known = self.tale(account)
        wrong = [
            f"{what} are {known[what]}, not {said[what]}"
            for what in known
            if said[what] != known[what]
        ]
        if set(said["refused"].values()) != {-1022, -2014} or len(said["refused"]) < 4:
            wrong.append(f"forgeries were refused so: {said['refused']}")
        return wrong + self.misheard(account, said["heard"])

    def demo_world(self) -> Customer:
        """Return Alex, who trades a little and holds a contract."""
        with self.lock:
            known = self.first_customer in self.customers()
            name = super().demo_world().name
            if not known:
                self._first_trades(name)
            return self.customer(name)

    def _first_trades(self, name: str) -> None:
        self.place_order(name, "ETHUSDT", "BUY", "0.5000")
        self.place_order(name, "BTCUSDT", "SELL", "0.10000", "66000.00")
        part = self.place_order(name, "SOLUSDT", "BUY", "10.000", "140.50")
        self.fill_order(name, "SOLUSDT", part, "4.000")
        self.place_order(name, "BTCUSDT", "BUY", "0.050", segment="futures")
        self.place_order(name, "ETHUSDT", "SELL", "1.000", "3300.00", segment="futures")

    # -- what happens to all

    def maintenance(self, on: bool = True, testnet: bool = False) -> None:
        """Let a network be closed, or open again."""
        network = "testnet" if testnet else ""
        self.ledger.put(("maintenance", network, on or None))
        for talk in self.talks:
            if on and network_of(talk.path) == network:
                talk.close(1012)

    def reset_world(self) -> None:
        """Let the test network be reset: orders, trades and balances go, keys stay."""
        for account in list(self.ledger.topic("accounts").values()):
            if account["network"]:
                self._start_anew(account)

    def _start_anew(self, account: dict[str, Any]) -> None:
        gone = [
            (topic, key, None)
            for topic, known in self.ledger.topics.items()
            if f":{account['id']}" in topic and not topic.startswith("assets:")
            for key in known
        ]
        self.ledger.put(*gone)
        for segment, given in (("spot", USUAL), ("futures", MARGIN)):
            held = self.held(account, segment)
            anew = {asset: Decimal(amount) for asset, amount in given.items()}
            names = dict.fromkeys((*held, *anew))
            changes = {a: anew.get(a, ZERO) - held.get(a, ZERO) for a in names}
            self.change(account, segment, changes)


def weight_of(asked: Asked) -> int:
    """Return what a request costs; one that nobody knows costs one."""
    network = network_of(asked.path)
    path = asked.path.removeprefix(f"/{network}") if network else asked.path
    weight = WEIGHTS.get(path, 1)
    return weight if isinstance(weight, int) else weight(_sent(asked))


def _sent(asked: Asked) -> Mapping[str, str]:
    return dict(part.partition("=")[::2] for part in asked.raw_query.split("&"))
