"""One connection's part of a batch, on its way into the database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from accounts.models import SyncRun
from accounts.verdicts import Heard, Verdict
from providers.base import Observation
from providers.errors import ProviderError

from .knowledge import Knowledge
from .reading import Visit


@dataclass(frozen=True, slots=True)
class State:
    """A connection as it is while its row is locked."""

    health: str
    failures: int
    interval: float
    ever_worked: bool
    workspace_id: UUID
    check_rows: str | None = None  # what its workspace has set, as JSON
    drift_rows: str | None = None
    moment: datetime | None = None  # when it was locked


@dataclass(slots=True)
class Entry:
    """One connection's part of a batch: what it said, and what that means."""

    run: SyncRun
    visit: Visit | None = None
    heard: Heard | None = None
    error: ProviderError | None = None
    verdict: Verdict | None = None
    settled: Verdict | None = None  # where no answer is judged
    knowledge: Knowledge | None = None  # as it was before anybody was asked
    covers: Callable[[str], bool] | None = None  # which accounts a stream tells about
    trades: bool = False  # whether orders and trades are read after the balances

    @property
    def connection_id(self) -> UUID:
        return self.run.connection_id

    @property
    def asked_provider(self) -> bool:
        """Say whether a provider told it, and not a person."""
        return self.visit is not None or self.covers is not None

    @property
    def said(self) -> Observation | None:
        """What a person typed, or the provider answered."""
        told = self.heard or self.visit
        return told and told.observation
