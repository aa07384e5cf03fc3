"""The ports: what balsync asks of a provider, in balsync's own words."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Literal
from urllib.parse import urlencode

from .errors import AuthenticationFailed, RateLimited, Refused
from .money import Asset
from .waiting import BANNED, MARGIN, wait_asked
from .wire import Call, Request, Response, T


@dataclass(frozen=True, slots=True)
class Reading:
    """What a provider says one account is and holds, in minor units of `asset`.

    Amounts are None where the provider did not answer for this account (`error` says
    why): unknown is never zero. `as_of` is the provider's own moment, where it has one,
    and `balance_id` its own name for these figures: never a hash of them, which would
    take the same amount held twice for the same balance.
    """

    external_id: str
    asset: Asset
    total: int | None
    available: int | None
    held: int = 0
    name: str = ""
    kind: str = "current"
    parent: str | None = None  # external id of the account this one is inside of
    goal: int | None = None
    closed: bool = False
    can_send: bool = True  # whether the provider lets money be moved out of it
    can_receive: bool = True
    as_of: datetime | None = None
    error: str = ""
    details: Mapping[str, Any] = field(
        default_factory=dict
    )  # for people; never decides
    balance_id: str = ""


@dataclass(frozen=True, slots=True)
class Invariant:
    """Two figures of one answer that must agree, in minor units of the account's asset."""

    name: str
    external_id: str
    expected: int
    actual: int


@dataclass(frozen=True, slots=True)
class Observation:
    """Everything one set of credentials can see now. `complete`: no account is missing.

    `lists_held_only`: what is empty is not listed, so a known account that is not among
    a complete answer holds nothing; elsewhere it has vanished.
    """

    readings: Sequence[Reading]
    invariants: Sequence[Invariant] = ()
    complete: bool = True
    lists_held_only: bool = False


@dataclass(frozen=True, slots=True)
class Movement:
    """A transaction as the provider reports it; money that left is negative."""

    external_id: str
    amount: int
    asset: Asset
    created: datetime
    settled: datetime | None = None
    declined: str = ""  # the provider's reason; such a movement moved nothing
    description: str = ""
    counterparty: str = ""
    merchant: str = ""
    category: str = ""
    dedupe_id: str = ""  # ours, where the provider gives it back
    pot: str = ""  # external id of the pot on the other side, if any
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class History:
    """A stretch of movements, oldest first.

    `cursor` is where the next call should start: everything before it is final.
    `truncated` says that the provider closed part of what was asked for, `more` that
    this call stopped before the end: ask again at once.
    """

    movements: Sequence[Movement]
    cursor: str
    truncated: bool = False
    more: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """An account as a transfer names it; with `asset`, no other is accepted back."""

    external_id: str
    kind: str
    parent: str | None = None
    asset: Asset | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a provider says it moved, and what it says is held now (by external id)."""

    reference: str
    amount: int | None = None
    asset: Asset | None = None
    balances: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Quote:
    """What one whole unit of `base` is worth in whole units of `quote`, both codes."""

    base: str
    quote: str
    value: Decimal
    as_of: datetime | None = None  # the provider's own moment, where it has one


@dataclass(frozen=True, slots=True)
class Hint:
    """What an inbound webhook claims: a reason to ask, and its name."""

    event_id: str  # the same for every attempt to deliver it


@dataclass(frozen=True, slots=True)
class Tokens:
    """A new pair of tokens as credential fields, and how many seconds they last."""

    credentials: Mapping[str, str]
    expires_in: int | None = None
    user: str = ""  # the provider's id of the person who consented
    consent_ends: datetime | None = None  # where the provider says so


@dataclass(frozen=True, slots=True)
class CredentialField:
    """One thing a person types in to connect."""

    name: str
    label: str
    secret: bool = True
    required: bool = True
    help: str = ""


@dataclass(frozen=True, slots=True)
class Limit:
    """How much weight may be asked: `weight` in `seconds`, for all processes together.

    "moving": in any stretch of that length. "window": in each that begins at a whole
    multiple of it, by the clock. "counter": each request adds to a counter that may
    reach `weight` and sinks steadily, from there to nothing in `seconds`.
    """

    weight: int
    seconds: float
    kind: Literal["moving", "window", "counter"] = "moving"
    per: Literal["installation", "credential"] = "installation"


@dataclass(frozen=True, slots=True)
class Trouble:
    """That a provider is in trouble, or wants to be left alone for `hold` seconds."""

    hold: float = 0.0
    mine: bool = False  # it means these credentials only: the others may go on
    category: str = "down"  # or "rate", "ban", "lockout": what is counted


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

    def __init__(
        self, credentials: Mapping[str, str], hosts: Mapping[str, str] | None = None
    ) -> None:
        self.credentials = dict(credentials)
        self.urls = {**self.hosts, **(hosts or {})}

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
        except (
            ArithmeticError,
            LookupError,
            TypeError,
            ValueError,
            AttributeError,
        ) as e:
            raise request.unreadable(
                f"{self.name}: {type(e).__name__}: {e}"[:300]
            ) from e


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


@dataclass(frozen=True, slots=True)
class Permissions:
    """What a key may do, as the provider tells it; None where it does not."""

    read: bool | None = None
    trade: bool | None = None
    withdraw: bool | None = None
    transfer: bool | None = None  # between the customer's own accounts there
    only_from_some_addresses: bool | None = None  # whether others' requests are refused
    notes: Sequence[str] = ()  # for people


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

    @abstractmethod
    def hint(self, headers: Mapping[str, str], body: bytes) -> Hint:
        """Return what an inbound webhook is about; header names are in lower case.

        Raises AuthenticationFailed for a forgery where the provider signs, and
        UnexpectedResponse for what makes no sense. A hint is never the truth.
        """

    @abstractmethod
    def listen(self, account: Place, url: str | None, *, ours: str) -> Call[None]:
        """Let `url` be called about `account`, and nothing else that begins with `ours`."""


class Authorizes(ABC):
    """Providers whose consent is given in a browser (OAuth 2, RFC 6749)."""

    # How long a consent lasts where its end is not told but documented.
    consent_days: ClassVar[int | None] = None

    @abstractmethod
    def authorization_url(self, redirect_uri: str, state: str) -> str:
        """Return the page where a person consents."""

    @abstractmethod
    def exchange(self, code: str, redirect_uri: str) -> Call[Tokens]:
        """Return the first tokens for the `code` the person came back with."""

    @abstractmethod
    def refresh(self) -> Call[Tokens]:
        """Return the next tokens; the old ones may be dead once this was sent."""


def form(**fields: str | int) -> bytes:
    """Return a body in the form `application/x-www-form-urlencoded`."""
    return urlencode(fields).encode()
