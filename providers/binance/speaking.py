"""How Binance is asked: where, signed how, at what weight, and by which clock."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Final

from providers.base import CredentialField, Limit, Provider, Trouble
from providers.errors import BadCredentials, Refused
from providers.trading import Market
from providers.wire import Call, Request, Response, T

from . import refusals
from .answers import time_told
from .signing import Signer, rest_payload, signer_of

KEY: Final = "X-MBX-APIKEY"
USED: Final = "x-mbx-used-weight-1m"
SPOT: Final = "spot"
FUTURES: Final = "futures"
# The prefix of the keys of `hosts`: what happens on one network says nothing of the other.
TESTNET: Final = "testnet"
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND: Final = timedelta(milliseconds=1)
TIME: Final[Mapping[str, str]] = {SPOT: "/api/v3/time", FUTURES: "/fapi/v1/time"}
SPOT_WEIGHT: Final = Limit(6000, 60.0, "window")
FUTURES_WEIGHT: Final = Limit(2400, 60.0, "window")
CONNECTIONS: Final = Limit(300, 300.0)  # web-socket-api.md, "Connection limits"


class Speaking(Provider):
    """The part of the adapter that knows hosts, keys, clocks and limits."""

    name = "Binance"
    hosts = {
        "api": "https://api.binance.com",
        "futures": "https://fapi.binance.com",
        "stream": "wss://ws-api.binance.com/ws-api/v3",
        "futures_stream": "wss://fstream.binance.com",
        "testnet": "https://testnet.binance.vision",
        "testnet_futures": "https://testnet.binancefuture.com",
        "testnet_stream": "wss://ws-api.testnet.binance.vision/ws-api/v3",
        "testnet_futures_stream": "wss://fstream.binancefuture.com",
    }
    limits = {
        "api": SPOT_WEIGHT,
        "futures": FUTURES_WEIGHT,
        "testnet": SPOT_WEIGHT,
        "testnet_futures": FUTURES_WEIGHT,
        "stream": CONNECTIONS,
        "futures_stream": CONNECTIONS,
        "testnet_stream": CONNECTIONS,
        "testnet_futures_stream": CONNECTIONS,
    }
    fields = (
        CredentialField("api_key", "API key", secret=False),
        CredentialField("api_secret", "Secret key (HMAC)", required=False),
        CredentialField(
            "private_key",
            "Private key (Ed25519, PEM)",
            required=False,
            help="Instead of the secret. Binance recommends this kind of key.",
        ),
        CredentialField(
            "markets",
            "Markets",
            secret=False,
            required=False,
            help="spot, futures or both, with a comma between; spot if empty.",
        ),
        CredentialField(
            "testnet",
            "Testnet",
            secret=False,
            required=False,
            help="yes, if the key is one of the test network.",
        ),
    )

    def __init__(
        self, credentials: Mapping[str, str], hosts: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(credentials, hosts)
        self.testnet = _yes(self.credentials.get("testnet", ""))
        # How far the institution's clock is ahead of ours; learnt when it refuses ours.
        self.ahead = timedelta(0)
        self._compared_at = EPOCH
        # By symbol; these do not change while one call lasts.
        self.known_markets: dict[str, dict[str, Market]] = {SPOT: {}, FUTURES: {}}

    @classmethod
    def check_credentials(cls, given: Mapping[str, str]) -> None:
        """Raise BadCredentials for markets that there are not."""
        try:
            _ = cls(given).markets
        except Refused as error:
            raise BadCredentials(str(error)) from error

    @cached_property
    def markets(self) -> Collection[str]:
        """Return which of "spot" and "futures" to read; raises Refused for others."""
        told = self.credentials.get("markets", "") or SPOT
        wanted = [name.strip().lower() for name in told.split(",") if name.strip()]
        if unknown := sorted(set(wanted) - {SPOT, FUTURES}):
            raise Refused(f"Binance has no market called {unknown[0]:.40}")
        return tuple(dict.fromkeys(wanted)) or (SPOT,)

    @property
    def network(self) -> str:
        return TESTNET if self.testnet else ""

    @cached_property
    def signer(self) -> Signer:
        return signer_of(self.credentials)

    # -- asking

    def host(self, segment: str, *, stream: bool = False) -> str:
        """Return the key of the host that serves `segment` on this key's network."""
        parts = [TESTNET] * self.testnet + [FUTURES] * (segment == FUTURES)
        return "_".join([*parts, *["stream"] * stream]) or "api"

    def public(self, segment: str, path: str, weight: int, **params: str) -> Request:
        """Return a question that anybody may ask."""
        host, told = self.host(segment), tuple(params.items())
        return Request("GET", path, host, told, weight=weight)

    def private(self, segment: str, path: str, weight: int, **params: str) -> Request:
        """Return a question about the account; it is signed when it is sent."""
        asked = self.public(segment, path, weight, **params)
        return replace(asked, headers={KEY: self.credentials.get("api_key", "")})

    def sign(self, request: Request, now: datetime, nonce: int) -> Request:
        """Add time and signature. Source: rest-api.md, "Request Security"."""
        if request.path in TIME.values():
            self._compared_at = now
        if KEY not in request.headers or request.path.endswith("/listenKey"):
            return request
        stamped = replace(
            request, params=(*request.params, ("timestamp", f"{self.stamp(now)}"))
        )
        proof = self.signer.sign(rest_payload(stamped))
        return replace(stamped, params=(*stamped.params, ("signature", proof)))

    def stamp(self, now: datetime) -> int:
        """Return the institution's time in milliseconds, as far as it is known."""
        return (now + self.ahead - EPOCH) // MILLISECOND

    def ask(self, request: Request, read: Callable[[Any], T]) -> Call[T]:
        """Return what `read` finds; if our clock is refused, it is compared once."""
        response = yield request
        refused = response.status >= 400
        if refused and refusals.code_of(response) == refusals.CLOCK_OFF:
            segment = FUTURES if request.path.startswith("/fapi") else SPOT
            yield from self.compare_clocks(segment)
            response = yield request
        return self.understand(request, response, read)

    def compare_clocks(self, segment: str) -> Call[None]:
        """Learn how far their clock is ahead. Source: rest-api.md, "Check server time"."""
        asked = self.public(segment, TIME[segment], 1)
        told = yield from super().ask(asked, time_told)
        self.ahead = told - self._compared_at

    # -- what answers say beside their bodies

    def check(self, response: Response) -> None:
        """Raise what the code of a refusal means. Source: errors.md."""
        refusals.check(self.name, response)
        super().check(response)

    def used(self, response: Response) -> int | None:
        """Return the weight spent in this minute. Source: rest-api.md, "IP Limits"."""
        told = response.headers.get(USED, "")
        return int(told[:9]) if told.isascii() and told.isdigit() else None

    def trouble(self, response: Response) -> Trouble | None:
        """Return what is to be left alone. Source: rest-api.md, "HTTP Return Codes"."""
        return refusals.trouble(response)


def _yes(text: str) -> bool:
    return text.strip().lower() in ("1", "true", "yes", "on")
