"""What is said between balsync and a provider, in balsync's own words: plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from .money import Asset


@dataclass(frozen=True, slots=True)
class Block:
    """A state of a chain: how many came before it, and its hash as the chain writes it."""

    number: int
    hash: str


@dataclass(frozen=True, slots=True)
class Allowance:
    """How much of an account `spender`, an address, may take out, in minor units."""

    spender: str
    amount: int
    unlimited: bool = False  # the amount is the number that the chain takes for it
    name: str = ""  # what people call the spender


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
    role: str = ""  # what it is for, where the credentials say so
    block: Block | None = None  # the final state that these are the figures of
    unconfirmed: int | None = None  # the total with what is not final yet
    allowances: Sequence[Allowance] | None = None  # None: nobody told


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

    `lacks` says which are, where they cannot be told as readings.

    `lists_held_only`: what is empty is not listed, so a known account that is not among
    a complete answer holds nothing; elsewhere it has vanished.
    """

    readings: Sequence[Reading]
    invariants: Sequence[Invariant] = ()
    complete: bool = True
    lists_held_only: bool = False
    # Blocks told before, as `Place.block`, in whose place the chain has others now.
    superseded: Sequence[Block] = ()
    lacks: str = ""  # for people


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
    """An account as a transfer names it; with `asset`, no other is accepted back.

    `unit` is only what a request says that it holds, where it has to say so.
    """

    external_id: str
    kind: str
    parent: str | None = None
    asset: Asset | None = None
    block: Block | None = None  # of the newest figures stored, where a chain tells them
    unit: Asset | None = None


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


@dataclass(frozen=True, slots=True)
class Permissions:
    """What a key may do, as the provider tells it; None where it does not."""

    read: bool | None = None
    trade: bool | None = None
    withdraw: bool | None = None
    transfer: bool | None = None  # between the customer's own accounts there
    only_from_some_addresses: bool | None = None  # whether others' requests are refused
    ends: datetime | None = None  # when the key is worth nothing any more
    notes: Sequence[str] = ()  # for people
