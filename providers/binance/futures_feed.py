"""The stream of futures: subscribed by a listen key. Source: the futures' "User Data Streams".

What it tells of a wallet leaves out how much of it is margin, so balances are read over
REST when something has changed, once a second at most.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from providers.errors import AuthenticationFailed, UnexpectedResponse
from providers.fields import flag, text
from providers.streaming import Action, Ask, Hang, Say, Told, Traded
from providers.trading import Market, Sought, Trade
from providers.wire import Call

from .answers import LATEST, code_of, moment, natural
from .following import BALANCES, MARKETS, Following
from .rows import SIDES, decimal, size
from .speaking import FUTURES
from .trading import Trading

ORDER: Final = "order"
KEPT_ALIVE: Final = "kept alive"
SUBSCRIBED: Final = 1  # the id of the one thing that is said
KEEP_ALIVE: Final = timedelta(minutes=30)  # of the sixty after which a key ends
WALLETS: Final = "wallets"


class FuturesFeed(Following):
    """Tells trades at once, and wallets and orders as they are read after an event."""

    silence = 30.0
    grace = timedelta(0)
    pause = timedelta(seconds=1)

    def __init__(self, provider: Trading) -> None:
        super().__init__(provider, FUTURES)
        self._key = ""
        self._kept: datetime | None = None

    def opening(self) -> Call[str]:
        """Ask for the account's key; one that lives is given again, and lives longer."""
        self._key = yield from self.provider.listen_key()
        return "/private/stream"

    def opened(self, now: datetime) -> Iterable[Action]:
        self._began = self._kept = now
        said = {"method": "SUBSCRIBE", "params": [self._key], "id": SUBSCRIBED}
        return [Say(json.dumps(said))]

    def heard(self, text: str, now: datetime) -> Iterable[Action]:
        """Return what an answer or an event means."""
        told = self.frame(text)
        if "data" in told:
            return self._event(told["data"], now)
        if told.get("id") == SUBSCRIBED and "error" not in told:
            self.subscribed = True
            return [self.look(now)]
        if "error" in told:
            raise AuthenticationFailed(f"{self.provider.name}: no such listen key")
        raise UnexpectedResponse("This frame is neither an answer nor an event")

    def answered(self, about: str, result: Any, now: datetime) -> Iterable[Action]:
        if about == MARKETS:
            self.markets = result
        elif about == BALANCES:
            self.caught_up()
            return [Told(result.readings, whole=True)]
        elif about == ORDER and result is not None:
            return [Traded(orders=[result])]
        return []

    def tick(self, now: datetime) -> Iterable[Action]:
        if self._kept is not None and now - self._kept >= KEEP_ALIVE:
            self._kept = now
            yield Ask(self.provider.keep_alive(), KEPT_ALIVE)
        yield from super().tick(now)

    def _event(self, event: Any, now: datetime) -> Iterable[Action]:
        sense = self.provider.sensible
        match sense(self.where, lambda: text(event["e"])):
            case "ACCOUNT_UPDATE":
                self._owe_wallets(event, now)
            case "ORDER_TRADE_UPDATE":
                return self._report(event, now)
            case "listenKeyExpired":
                return [Hang("The listen key has ended")]
        return []

    def _owe_wallets(self, event: Any, now: datetime) -> None:
        happened = self.provider.sensible(
            self.where, lambda: natural(event["T"], LATEST)
        )
        self.owe([WALLETS], happened, now)

    def _report(self, event: Any, now: datetime) -> Iterator[Action]:
        """Tell a trade, and the order as it is now: the event leaves out when it was made."""
        self._owe_wallets(event, now)
        sense, where = self.provider.sensible, self.where
        yield from self.known(sense(where, lambda: text(event["o"]["s"])))
        sought, trades = sense(where, lambda: self._told(event["o"]))
        if trades:
            yield Traded(trades=trades)
        yield Ask(self.provider.find_order(sought), ORDER)

    def _told(self, order: Any) -> tuple[Sought, list[Trade]]:
        market = self.markets[order["s"]]
        sought = Sought(f"{natural(order['i'])}", market)
        made = order["x"] == "TRADE"
        return sought, [trade_told(order, market)] if made else []


def trade_told(order: Any, market: Market) -> Trade:
    """Return a trade. Source: the futures' "Event: Order Update"."""
    quantity, price = size(order["l"]), size(order["L"])
    return Trade(
        f"{natural(order['t'])}",
        f"{natural(order['i'])}",
        market,
        SIDES[order["S"]],
        quantity,
        price,
        quantity * price,
        moment(order["T"]),
        fee=decimal(order["n"]) if order.get("N") else None,
        fee_asset=code_of(order["N"]) if order.get("N") else "",
        maker=flag(order["m"]),
        pnl=decimal(order["rp"]),
        pnl_asset=market.quote,
    )
