"""Polygon PoS over JSON-RPC: what addresses hold. Source: docs.polygon.technology.

It knows addresses only. Nothing here can sign, so nothing here can move money.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Final

from providers.base import CredentialField, Observation, Place
from providers.errors import (
    BadCredentials,
    ProviderError,
    RateLimited,
    Unavailable,
    UnexpectedResponse,
)
from providers.wire import Call, Request

from . import blocks, holdings
from .rpc import Speaks, need
from .wallet import ENDPOINTS, Wallet, endpoints, wallet

# Seconds for an endpoint that is not the last hope, and for one asked a second opinion.
# Where all are slow, the last one is left what a slow answer takes.
PATIENCE: Final = 8.0
SECOND: Final = 10.0


class Polygon(Speaks):
    """Addresses on Polygon PoS, read at the last block that is final."""

    name = "Polygon"
    hosts = {"api": "https://polygon-rpc.com"}
    deadline = 60.0  # nodes may take most of a minute
    fields = (
        CredentialField(
            "addresses",
            "Addresses",
            secret=False,
            help='JSON: [{"address": "0x…", "role": "derived"}, {"address": "0x…", '
            '"role": "proxy"}]. Never a private key or a seed phrase.',
        ),
        CredentialField(
            "tokens",
            "Tokens",
            secret=False,
            required=False,
            help='JSON: [{"code": "USDC", "address": "0x…"}]. Without it: USDC, USDC.e '
            "and pUSD.",
        ),
        CredentialField(
            "spenders",
            "Spenders whose allowances are read",
            secret=False,
            required=False,
            help='JSON: [{"name": "Exchange", "address": "0x…"}].',
        ),
        CredentialField(
            "rpc_urls",
            "Nodes",
            required=False,
            help='JSON: ["https://…", "https://…"], asked in this order. Two or more '
            "check each other.",
        ),
    )

    def __init__(
        self, credentials: Mapping[str, str], hosts: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(credentials, hosts)
        try:
            self._chosen = endpoints(self.credentials)
        except BadCredentials:
            self._chosen = []  # said when something is asked
        if self._chosen:
            self.urls = dict(zip(ENDPOINTS, self._chosen, strict=False))

    @classmethod
    def check_credentials(cls, given: Mapping[str, str]) -> None:
        """Raise BadCredentials for mistyped addresses, and for keys of any kind."""
        wallet(given)
        endpoints(given)

    def line(self, host: str) -> str:
        """Return a name of its own for each node that somebody chose."""
        if not self._chosen:
            return host
        return "node-" + sha256(self.urls[host].encode()).hexdigest()[:16]

    def anybodys(self, host: str) -> bool:
        """Say whether somebody chose the nodes."""
        return bool(self._chosen)

    def url(self, request: Request) -> str:
        """Return the address as it was typed: a key may be the end of it."""
        return self.urls[request.host]

    def observe(self, known: Sequence[Place] = ()) -> Call[Observation]:
        """Return what every address holds, all of it at one block.

        Endpoints are asked in their order until one answers; a second one is asked
        whether it knows the same block. Source: PIP-11, "Finality Tag".
        """
        chosen = wallet(self.credentials)
        endpoints(self.credentials)
        failures: dict[str, ProviderError] = {}
        for host in self.urls:
            try:
                seen = yield from self._look(host, chosen, known)
            except ProviderError as error:
                failures[host] = error
                continue
            note = yield from self._second(host, seen, failures)
            return _observation(chosen, seen, known, note)
        raise _all_of(failures)

    def _look(self, host: str, chosen: Wallet, known: Sequence[Place]) -> Call[_Seen]:
        """Return what one endpoint tells; raises ProviderError."""
        patience = None if host == list(self.urls)[-1] else PATIENCE
        were, request = blocks.known_blocks(known), Request("POST", "/", host)
        asked, figures = blocks.questions(were), holdings.Figures(chosen)
        told = yield from self.ask_all(host, [*asked, *figures.questions()], patience)
        sight = self.sensible(request, lambda: blocks.sight(told[: len(asked)], were))
        try:
            return self.sensible(
                request, lambda: _Seen(sight, figures, told[len(asked) :])
            )
        except RateLimited:
            raise
        except ProviderError:
            # Another block may have become final meanwhile: this one is asked for.
            pinned = figures.questions(sight.final.block.number, sight.latest)
            again = yield from self.ask_all(host, pinned, patience)
            return self.sensible(request, lambda: _Seen(sight, figures, again))

    def _second(
        self, used: str, seen: _Seen, failures: Mapping[str, ProviderError]
    ) -> Call[str]:
        """Return what a second endpoint says of the block and its figures, for people.

        Raises UnexpectedResponse where it tells others: neither is believed then.
        """
        block = seen.sight.final.block
        others = [h for h in self.urls if h != used and h not in failures]
        notes = [f"{host} failed ({failures[host].code})" for host in failures]
        for host in others:
            asked = [blocks.block(block.number), *seen.figures.again(block.number)]
            try:
                about, *told = yield from self.ask_all(host, asked, SECOND)
            except ProviderError as error:
                about, told = error, []
            said = blocks.agrees(about, block)
            if said == "yes":
                said = seen.figures.agree(seen.final, told)
            notes.append(f"{host}: {said}")
            if said == "yes":
                break
        return "; ".join(notes) if len(self.urls) > 1 else "there is none"


class _Seen:
    """Both states of one endpoint, after what could not be true was refused."""

    def __init__(
        self,
        sight: blocks.Sight,
        figures: holdings.Figures,
        told: Sequence[object],
    ) -> None:
        self.sight, self.figures = sight, figures
        *figured, last = told
        self.final, self.latest = figures.states(figured)
        again = need(last)
        if again is None or blocks.head(again) != sight.final:
            raise Unavailable("The chain changed while it was asked for")
        if self.final.number != sight.final.block.number:
            raise UnexpectedResponse("The figures are of another block than was asked")
        if self.latest.number < self.final.number:
            raise Unavailable("This node is behind: its latest figures are older")


def _observation(
    chosen: Wallet, seen: _Seen, known: Sequence[Place], note: str
) -> Observation:
    made = holdings.Readings(chosen, seen.final, seen.latest, seen.sight.final, note)
    readings, lacks = made.all(known)
    return Observation(
        readings,
        complete=not lacks and all(r.total is not None for r in readings),
        superseded=list(seen.sight.superseded),
        lacks=lacks,
    )


def _all_of(failures: Mapping[str, ProviderError]) -> ProviderError:
    """Return what it means that every endpoint failed, naming each."""
    found = list(failures.values())
    if len(found) == 1:
        return found[0]
    told = "; ".join(f"{host}: {error}" for host, error in failures.items())
    kinds = {type(error) for error in found}
    kind = kinds.pop() if len(kinds) == 1 else Unavailable
    return kind(f"No endpoint answers: {told}"[:500])
