"""The ports: what balsync asks of a provider, in balsync's own words."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import urlencode

from .errors import FAULTS, AuthenticationFailed, RateLimited, Refused, words_of
from .values import (
    Allowance,
    Block,
    CredentialField,
    Hint,
    History,
    Invariant,
    Limit,
    Movement,
    Observation,
    Permissions,
    Place,
    Quote,
    Reading,
    Receipt,
    Tokens,
    Trouble,
)
from .waiting import BANNED, MARGIN, wait_asked
from .wire import Call, Request, Response, T

__all__ = [
    "Allowance",
    "Authorizes",
    "Block",
    "CredentialField",
    "DescribesKey",
    "Hint",
    "History",
    "Invariant",
    "Limit",
    "ListsMovements",
    "Movement",
    "MovesMoney",
    "Observation",
    "Permissions",
    "Place",
    "Provider",
    "Quote",
    "QuotesRates",
    "Reading",
    "Receipt",
    "RegistersWebhooks",
    "RenewsTokens",
    "SendsWebhooks",
    "TakesTypedBalances",
    "Tokens",
    "Trouble",
    "form",
]


class Provider(ABC):
    """One set of credentials at one institution. Adapters translate, never decide."""

    name: ClassVar[str]
    hosts: ClassVar[Mapping[str, str]]  # key → base URL; "api" is the usual one
    fields: ClassVar[Sequence[CredentialField]]
    serial: ClassVar[bool] = False  # one request at a time per credential (nonces)
    limits: ClassVar[Mapping[str, Limit]] = {}  # by host key
    # Whether an answer of 200 may hold an error, so that `trouble` has to look.
    errors_in_body: ClassVar[bool] = False
    dedupe_horizon: ClassVar[int] = 3600  # seconds for which a dedupe id is trusted
    # Seconds for all requests of one call together: 60 at most, and 15 where money moves.
    deadline: ClassVar[float] = 15.0
    # Credentials that the provider gives out by itself: nobody types them in.
    issued: ClassVar[Sequence[str]] = ()

    def __init__(
        self, credentials: Mapping[str, str], hosts: Mapping[str, str] | None = None
    ) -> None:
        self.credentials = dict(credentials)
        self.urls = {**self.hosts, **(hosts or {})}

    @classmethod
    def check_credentials(cls, given: Mapping[str, str]) -> None:
        """Raise BadCredentials for what cannot be used as it was typed; asks nobody."""
        return None

    @abstractmethod
    def observe(self, known: Sequence[Place] = ()) -> Call[Observation]:
        """Return what every account of these credentials holds now.

        `known` are the outermost accounts found before: where a list of them would
        cost a request of its own, only these are asked.
        """

    def sign(self, request: Request, now: datetime, nonce: int) -> Request:
        """Return `request` with what proves who is asking; pure, called when it is sent."""
        return request

    def url(self, request: Request) -> str:
        """Return the address of `request` without its parameters."""
        return self.urls[request.host].rstrip("/") + request.path

    def line(self, host: str) -> str:
        """Return what the breaker calls the way to a host, by its key.

        Who lets people choose the address names each of them: what one person's server
        fails to do must not keep the others from theirs.
        """
        return host

    def anybodys(self, host: str) -> bool:
        """Say whether a person typed the address of a host: only a public one is asked.

        What an operator configured may well be inside.
        """
        return False

    def check(self, response: Response) -> None:
        """Raise what a 4xx means. Extend where a provider is more specific."""
        if response.status in (401, 403):
            raise AuthenticationFailed(f"{self.name} answered {response.status}")
        if response.status == 429:
            raise RateLimited(retry_after=wait_asked(response))
        if 400 <= response.status < 500:
            raise Refused(f"{self.name} answered {response.status}")

    def used(self, response: Response) -> int | None:
        """Return the weight that is spent of the host's limit now, where it is told."""
        return None

    def trouble(self, response: Response) -> Trouble | None:
        """Return what an answer says about the provider's health; a plain no is none."""
        if response.status >= 500:
            return Trouble()
        if response.status == 429:
            # Without a limit of its own it may be this one customer's: others go on.
            asked = wait_asked(response) or 0.0
            return Trouble(MARGIN * asked if self.limits else 0.0, category="rate")
        if response.status == 418:
            return Trouble(MARGIN * (wait_asked(response) or BANNED), category="ban")
        return None

    def ask(self, request: Request, read: Callable[[Any], T]) -> Call[T]:
        """Return what `read` finds in the answer to `request`."""
        response = yield request
        return self.understand(request, response, read)

    def understand(
        self, request: Request, response: Response, read: Callable[[Any], T]
    ) -> T:
        """Return what `read` finds in `response`, or raise what it means instead."""
        self.check(response)
        if response.status >= 500:
            raise request.lost(f"{self.name} answered {response.status}")
        if not 200 <= response.status < 300:
            raise request.unreadable(f"{self.name} answered {response.status}")
        return self.sensible(request, lambda: read(response.json()))

    def sensible(self, request: Request, read: Callable[[], T]) -> T:
        """Return what `read` makes of an answer; raises what it means if that fails."""
        try:
            return read()
        except FAULTS as fault:
            raise request.unreadable(words_of(self.name, fault)) from fault


class MovesMoney(ABC):
    """Providers that can move money between accounts of the same connection."""

    @abstractmethod
    def moves(self, source: Place, target: Place) -> bool:
        """Say whether the provider can move money between these in one call."""

    @abstractmethod
    def transfer(
        self, source: Place, target: Place, amount: int, *, dedupe_id: str
    ) -> Call[Receipt]:
        """Move `amount` minor units, once however often it is called with one `dedupe_id`.

        Raises Refused (nothing moved), OutcomeUnknown (it may have), or a failure
        that came before the provider could act.
        """

    @abstractmethod
    def movements_between(
        self, source: Place, target: Place, *, since: datetime
    ) -> Call[Sequence[Movement]]:
        """Return what went between these two since then, either way, declined ones too.

        Amounts are as the outer account reports them: what left it is negative. Raises
        a ProviderError other than Refused where not all of it can be told; that an
        attempt is not among them does not prove that it had no effect.
        """


class ListsMovements(ABC):
    """Providers that report an account's transactions."""

    open_days: ClassVar[int | None] = None  # days of history that never close

    @abstractmethod
    def movements(
        self, account: Place, cursor: str, *, now: datetime, since: datetime
    ) -> Call[History]:
        """Return movements after `cursor`, or since `since` where there is none yet."""


class DescribesKey(ABC):
    """Providers that tell what a key may do."""

    @abstractmethod
    def permissions(self) -> Call[Permissions]:
        """Return what these credentials may do."""


class TakesTypedBalances:
    """Providers whose balances a person types in; they are never asked."""


class QuotesRates(ABC):
    """Providers whose tickers say what one asset is worth in another."""

    @abstractmethod
    def quotes(self, codes: Sequence[str], base: str) -> Call[Sequence[Quote]]:
        """Return what `codes` are worth in `base`; what is not traded is left out."""


class SendsWebhooks(ABC):
    """Providers that call an address of ours when something happened."""

    # Where a person has to type the address in, unless `RegistersWebhooks`.
    webhooks_where: ClassVar[str] = ""

    @abstractmethod
    def hint(self, headers: Mapping[str, str], body: bytes) -> Hint:
        """Return what an inbound webhook is about; header names are in lower case.

        Raises AuthenticationFailed for a forgery where the provider signs, and
        UnexpectedResponse for what makes no sense. A hint is never the truth.
        """


class RegistersWebhooks(SendsWebhooks):
    """Providers whose webhooks are registered by asking, not by hand."""

    @abstractmethod
    def listen(self, account: Place, url: str | None, *, ours: str) -> Call[None]:
        """Let `url` be called about `account`, and nothing else that begins with `ours`."""

    @abstractmethod
    def hooks(self, account: Place) -> Call[Sequence[str]]:
        """Return the addresses, whoever's, that are called about `account`."""


class RenewsTokens(ABC):
    """Providers whose access tokens end soon and are asked for anew."""

    @property
    def lacks_token(self) -> bool:
        """Say whether a token has to be asked for before anything else."""
        return False

    @abstractmethod
    def refresh(self) -> Call[Tokens]:
        """Return the next tokens; the old ones may be dead once this was sent."""


class Authorizes(RenewsTokens):
    """Providers whose consent is given in a browser (OAuth 2, RFC 6749)."""

    # How long a consent lasts where its end is not told but documented.
    consent_days: ClassVar[int | None] = None

    @abstractmethod
    def authorization_url(self, redirect_uri: str, state: str) -> str:
        """Return the page where a person consents."""

    @abstractmethod
    def exchange(self, code: str, redirect_uri: str) -> Call[Tokens]:
        """Return the first tokens for the `code` the person came back with."""

    @classmethod
    def consented(cls, given: Mapping[str, str]) -> bool:
        """Say whether these hold any token that a consent leaves behind."""
        return any(given.get(name) for name in ("access_token", "refresh_token"))


def form(**fields: str | int) -> bytes:
    """Return a body in the form `application/x-www-form-urlencoded`."""
    return urlencode(fields).encode()
