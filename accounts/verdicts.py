"""What is known, what was heard, and what it means: the words of reconciliation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from providers.base import Block, Observation, Reading


@dataclass(slots=True)  # a frozen one takes four times as long to make
class Known:
    """An account, and what it held when we last knew. Amounts are minor units."""

    account_id: UUID
    asset: str
    kind: str = "current"
    name: str = ""
    goal: int | None = None
    parent: UUID | None = None
    can_send: bool = True
    can_receive: bool = True
    active: bool = True
    closed: bool = False
    missing_since: datetime | None = None
    missing_reads: int = 0
    total: int | None = None
    available: int | None = None
    held: int = 0
    as_of: datetime | None = None
    fetched_at: datetime | None = None
    source: str = "live"
    open_discrepancies: Mapping[str, int] | None = None  # by name: actual - expected
    quarantined: Mapping[str, datetime] | None = None  # by rule, and since when
    clean_syncs_left: int | None = None  # until its protection ends by itself
    named: Mapping[str, str] | None = None  # fingerprints by the ids told before
    block: Block | None = None  # of its chain, that these figures are of
    earlier: Sequence[Block] = ()  # those of its last snapshots


@dataclass(frozen=True, slots=True)
class Heard:
    """An answer, when it was asked for and when it was there, by the database's clock.

    `judged_at` is what that clock says as it is compared with what is known.
    """

    observation: Observation
    asked_at: datetime
    fetched_at: datetime
    source: str = "live"
    judged_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """An account that was not known before."""

    account_id: UUID
    reading: Reading
    name: str
    parent: UUID | None


@dataclass(slots=True)  # a frozen one takes four times as long to make
class Accepted:
    """A balance that replaces, or confirms, what was known."""

    account_id: UUID
    asset: str
    total: int
    available: int
    held: int
    as_of: datetime
    changed: bool
    old: int | None = None
    old_available: int | None = None
    again: bool = False  # other figures were told as of the same moment


@dataclass(frozen=True, slots=True)
class Change:
    """One field of one account that is different now."""

    account_id: UUID
    field: str
    old: str
    new: str
    difference: str = ""
    severity: str = "info"
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Two figures of one answer that should agree and do not."""

    account_id: UUID
    name: str
    expected: int
    actual: int
    severity: str = "warning"
    clean_syncs: int = 0  # more than 0: the account is protected for so many


@dataclass(frozen=True, slots=True)
class Issue:
    """What a rule found wrong with a reading."""

    rule: str
    severity: str
    text: str


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A reading that is kept aside: its figures as they came, and which rule says why.

    Without an account it is a whole answer. `raw` is for people; it never decides.
    """

    account_id: UUID | None
    external_id: str
    issue: Issue
    reading: Reading | None = None
    as_of: datetime | None = None
    raw: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Name:
    """What a provider calls the figures of an account at a moment."""

    account_id: UUID
    as_of: datetime
    balance_id: str
    fingerprint: str


@dataclass(slots=True)
class Verdict:
    """What one connection's answer means. What is not in it stays as it was."""

    status: str = "ok"  # ok, partial or failed
    error_code: str = ""
    error: str = ""
    found: list[Found] = field(default_factory=list)
    accepted: list[Accepted] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    states: list[Known] = field(default_factory=list)  # accounts as they are from now
    unknown: list[tuple[UUID, str]] = field(default_factory=list)  # and why
    disagreements: list[Disagreement] = field(default_factory=list)
    agreements: list[tuple[UUID, str]] = field(default_factory=list)
    quarantined: list[Quarantined] = field(default_factory=list)
    released: list[str] = field(default_factory=list)  # external ids
    clean: list[tuple[UUID, int]] = field(default_factory=list)  # syncs still to come
    names: list[Name] = field(default_factory=list)  # of new snapshots
    superseded: list[tuple[UUID, Block]] = field(default_factory=list)
    chained: list[tuple[UUID, Reading]] = field(default_factory=list)  # believed ones
    results: list[dict[str, Any]] = field(default_factory=list)
