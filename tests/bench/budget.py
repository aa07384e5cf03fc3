"""How much of a permitted rate is used, and that it is never exceeded: `bench budget`.

Several processes read balances as fast as they are let, from a sandbox that counts as the
real institution does and turns away what is too much. Told are the part of the permitted
rate that was used, and how many requests were turned away: none may be.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context

import structlog
from django.conf import settings
from rich.console import Console
from rich.table import Table

import providers
from providers.base import Limit
from providers.drivers import gates
from providers.drivers.blocking import Blocking
from providers.errors import ProviderError
from providers.sandbox import registry, serve
from providers.wire import Call, Request, T, watched

CONSOLE = Console()
PATIENCE = 14.0  # seconds for one call, waiting for the budget included


@dataclass
class Spent:
    """What one process, or all of them, paid and heard."""

    weight: Counter[str] = field(default_factory=Counter)  # by host
    calls: int = 0
    turned_away: Counter[str] = field(default_factory=Counter)  # by category

    def add(self, other: Spent) -> None:
        self.weight.update(other.weight)
        self.calls += other.calls
        self.turned_away.update(other.turned_away)


def limited() -> list[str]:
    """Return every provider with a sandbox that limits how much may be asked."""
    return [slug for slug in registry.slugs() if providers.load(slug).limits]


def main(argv: Sequence[str]) -> None:
    """Saturate every limit for a while, and print what came of it."""
    wishes = argparse.ArgumentParser(prog="manage.py bench budget", description=__doc__)
    wishes.add_argument("--seconds", type=float, default=180.0)
    wishes.add_argument("--processes", type=int, default=2)
    wishes.add_argument("--only", nargs="*", choices=limited())
    wish = wishes.parse_args(argv)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    rows = [
        (slug, saturate(slug, wish.seconds, wish.processes))
        for slug in wish.only or limited()
    ]
    show(rows, wish.seconds)


def saturate(slug: str, seconds: float, processes: int) -> Spent:
    """Let so many processes ask as fast as they may."""
    gates.configure(settings.REDIS_URL)
    found = Spent()
    with (
        serve(slug) as box,
        ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool,
    ):
        customer = box[slug].demo_world()
        about = (slug, box.hosts(slug), dict(customer.credentials), settings.REDIS_URL)
        for part in pool.map(
            hammer, *zip(*[(*about, seconds)] * processes, strict=True)
        ):
            found.add(part)
    return found


def hammer(
    slug: str,
    hosts: Mapping[str, str],
    credentials: Mapping[str, str],
    redis_url: str,
    seconds: float,
) -> Spent:
    """Read balances again and again, and count what was paid and what was refused."""
    gates.configure(redis_url)
    spent, adapter = Spent(), providers.load(slug)

    def trouble(self, response):
        found = adapter.trouble(self, response)
        if found is not None:
            spent.turned_away[found.category] += 1
        return found

    watched = type(adapter.__name__, (adapter,), {"trouble": trouble})
    watched.__module__ = adapter.__module__  # its gate is found by the folder
    provider, driver = watched(credentials, hosts), Blocking()
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        try:
            driver.run(provider, _counted(provider.observe(), spent), deadline=PATIENCE)
        except ProviderError:
            continue  # the budget did not let it through in time
    driver.close()
    return spent


def _counted(call: Call[T], spent: Spent) -> Call[T]:
    """Pass `call` on, and count what each request costs once it was answered."""
    pending: list[Request] = []

    def note(request: Request) -> None:
        _settle(pending, spent)
        pending.append(request)

    result = yield from watched(call, note)
    _settle(pending, spent)
    return result


def _settle(pending: list[Request], spent: Spent) -> None:
    for request in pending:
        spent.weight[request.host] += request.weight
        spent.calls += 1
    pending.clear()


def permitted(limit: Limit, seconds: float) -> float:
    """Return the weight that may be spent in so many seconds, from an idle beginning."""
    steady = limit.weight / limit.seconds * seconds
    return steady + (limit.weight if limit.kind == "counter" else 0)


def show(rows: Sequence[tuple[str, Spent]], seconds: float) -> None:
    """Print each limit, and how much of it was used."""
    table = Table(title=f"Rate limits, saturated for {seconds:g} s")
    for column in ("institution", "host", "limit"):
        table.add_column(column)
    for column in ("spent", "of the permitted", "turned away"):
        table.add_column(column, justify="right")
    for slug, spent in rows:
        adapter = providers.load(slug)
        for host, weight in sorted(spent.weight.items()):
            limit = adapter.limits.get(host)
            part = weight / permitted(limit, seconds) if limit else None
            table.add_row(
                adapter.name,
                host,
                f"{limit.weight} in {limit.seconds:g} s" if limit else "none",
                f"{weight:,}",
                f"{part:.1%}" if part is not None else "",
                str(spent.turned_away.total()),
            )
    CONSOLE.print(table)
