"""Asks the tickers of providers what the assets that people hold are worth."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from time import monotonic
from uuid import UUID

import structlog

import providers
from accounts.models import Account, Connection, Workspace
from accounts.models.rate import TYPED
from accounts.portfolio.rates import RateError
from accounts.validator.fiat import FIAT
from providers.base import Quote, QuotesRates
from providers.drivers.blocking import blocking
from providers.errors import ProviderError, Unavailable

from .adapters import adapter_of
from .portfolio import base_of
from .rates import keep_quotes, table_of

log = structlog.get_logger(__name__)
PIVOTS = 3  # assets with a price of their own that others may be priced in
TURN = 60.0  # seconds for all of them: less than a task may take
LEAST = 1.0  # seconds: who has less left is not asked


@dataclass
class Wish:
    """What the workspaces that share a provider and a base want to know."""

    connection: Connection
    codes: set[str] = field(default_factory=set)
    workspaces: dict[Workspace, set[str]] = field(default_factory=dict)


@dataclass
class Turn:
    """Lets no provider take the time of the others, nor fail twice for one reason."""

    share: float  # seconds that each may take
    taken: dict[str, float] = field(default_factory=dict)
    failed: set[str | UUID] = field(default_factory=set)  # providers, connections

    def seconds(self, slug: str, connection: Connection) -> float:
        """Return how long a provider may be asked now; 0: not at all."""
        left = self.share - self.taken.get(slug, 0.0)
        asked = left >= LEAST and self.failed.isdisjoint({slug, connection.pk})
        return left if asked else 0.0

    def took(self, slug: str, seconds: float) -> None:
        self.taken[slug] = self.taken.get(slug, 0.0) + seconds

    def fail(self, slug: str, connection: Connection, error: ProviderError) -> None:
        """Ask no more who is away, nor over a connection that does not work."""
        self.failed.add(slug if isinstance(error, Unavailable) else connection.pk)


def refresh_rates() -> int:
    """Keep the newest quotes for every workspace, and return how many were kept.

    Each ticker is asked once for everybody: first what is worth something in the base
    itself, then what is left in something that is. One that fails leaves its old rates,
    which grow stale, and is not asked again in this turn.
    """
    wishes = _wishes()
    turn = Turn(TURN / max(1, len({slug for slug, _ in wishes})))
    kept = sum(
        _keep(slug, wish, _ask(turn, slug, wish, wish.codes, base))
        for (slug, base), wish in wishes.items()
    )
    for (slug, base), wish in wishes.items():
        for pivot in _pivots(wish, base):
            left = _unrated(wish, base) - {pivot}
            kept += _keep(slug, wish, _ask(turn, slug, wish, left, pivot))
    return kept


def _pivots(wish: Wish, base: str) -> list[str]:
    """Return what others may be priced in: what people typed first, then money of states."""
    found = {
        rate.other(base): (rate.source != TYPED, rate.other(base) not in FIAT)
        for workspace in wish.workspaces
        for rate in table_of(workspace).beside(base)
    }
    return sorted(found, key=lambda code: (*found[code], code))[:PIVOTS]


def _unrated(wish: Wish, base: str) -> set[str]:
    """Return the codes that some workspace cannot value yet."""
    return {
        code
        for workspace, codes in wish.workspaces.items()
        for table in [table_of(workspace)]
        for code in codes
        if table.worth(code, base) is None
    }


def _wishes() -> dict[tuple[str, str], Wish]:
    able = [s for s in providers.slugs() if issubclass(providers.load(s), QuotesRates)]
    rows = Connection.objects.in_use().filter(provider__in=able)
    found: dict[tuple[str, str], Wish] = {}
    for row in rows.select_related("workspace"):
        base = base_of(row.workspace)
        if base is None:
            continue
        codes = _held(row.workspace) - {base.code}
        wish = found.setdefault((row.provider, base.code), Wish(row))
        wish.codes |= codes
        wish.workspaces[row.workspace] = codes
    return found


def _held(workspace: Workspace) -> set[str]:
    rows = Account.objects.filter(workspace=workspace, active=True, closed_at=None)
    assets = rows.order_by().values_list("asset", flat=True).distinct()
    return {asset.partition("/")[0] for asset in assets}


def _ask(
    turn: Turn, slug: str, wish: Wish, codes: Iterable[str], base: str
) -> list[Quote]:
    wanted, seconds = sorted(codes), turn.seconds(slug, wish.connection)
    if not wanted or not seconds:
        return []
    began = monotonic()
    try:
        provider = adapter_of(wish.connection)
        assert isinstance(provider, QuotesRates)
        call = provider.quotes(wanted, base)
        longest = min(seconds, provider.deadline)
        return list(blocking(slug).run(provider, call, deadline=longest))
    except ProviderError as error:
        turn.fail(slug, wish.connection, error)
        log.warning("Tickers were not told", provider=slug, error=str(error)[:300])
        return []
    finally:
        turn.took(slug, monotonic() - began)


def _keep(slug: str, wish: Wish, quotes: Iterable[Quote]) -> int:
    kept = 0
    for quote in quotes:
        for workspace, codes in wish.workspaces.items():
            if quote.base in codes:
                kept += _keep_one(workspace, slug, quote)
    return kept


def _keep_one(workspace: Workspace, slug: str, quote: Quote) -> int:
    try:
        return keep_quotes(workspace, slug, [quote])
    except RateError as error:
        log.warning("A quote is not kept", provider=slug, error=str(error)[:300])
        return 0
