"""Asks the tickers of providers what the assets that people hold are worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog

import providers
from accounts.models import Account, Connection, Workspace
from accounts.portfolio.rates import RateError
from providers.base import Provider, Quote, QuotesRates
from providers.drivers.blocking import blocking
from providers.errors import ProviderError

from .adapters import adapter_of
from .portfolio import base_of
from .rates import keep_quotes

log = structlog.get_logger(__name__)
PIVOTS = 2  # assets with a price of their own that others may be priced in


@dataclass
class Wish:
    """What the workspaces that share a provider and a base want to know."""

    connection: Connection
    codes: set[str] = field(default_factory=set)
    workspaces: dict[Workspace, set[str]] = field(default_factory=dict)


def refresh_rates() -> int:
    """Keep the newest quotes for every workspace, and return how many were kept.

    Each ticker is asked once for everybody. One that fails leaves its old rates, which
    grow stale.
    """
    kept = 0
    for (slug, base), wish in _wishes().items():
        try:
            quotes = _quotes(slug, wish, base)
        except ProviderError as error:
            log.warning("Tickers were not told", provider=slug, error=str(error)[:300])
            continue
        for workspace, codes in wish.workspaces.items():
            wanted = [q for q in quotes if q.base in codes]
            kept += sum(_keep(workspace, slug, quote) for quote in wanted)
    return kept


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


def _quotes(slug: str, wish: Wish, base: str) -> list[Quote]:
    """Return what the codes are worth in `base`, or in something that is."""
    provider = adapter_of(wish.connection)
    found = _ask(slug, provider, sorted(wish.codes), base)
    for pivot in sorted({quote.base for quote in found})[:PIVOTS]:
        left = wish.codes - {quote.base for quote in found}
        if left:
            found += _ask(slug, provider, sorted(left), pivot)
    return found


def _ask(slug: str, provider: Provider, codes: Sequence[str], base: str) -> list[Quote]:
    assert isinstance(provider, QuotesRates)
    if not codes:
        return []
    return list(blocking(slug).run(provider, provider.quotes(codes, base)))


def _keep(workspace: Workspace, slug: str, quote: Quote) -> int:
    try:
        return keep_quotes(workspace, slug, [quote])
    except RateError as error:
        log.warning("A quote is not kept", provider=slug, error=str(error)[:300])
        return 0
