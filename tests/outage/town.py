"""People with accounts at every provider there is, and what our API tells them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.models import F
from django.utils.timezone import now
from limits import parse

import providers
from accounts import services, tasks
from accounts.api.throttling import AddressRate, CallerRate
from accounts.models import Account, Balance, BalanceSnapshot, Connection, Workspace
from providers.base import MovesMoney
from providers.sandbox import registry
from tests.fixtures_api import V1, cash_slug, member

from .branch import Branch

CASH = 12_34
ENOUGH = parse("1000000000/minute")
LONGER = Connection.FRESH + timedelta(minutes=1)
PATIENCE = 120.0  # seconds; a breaker that opened again and again waits for 60


@dataclass(frozen=True)
class Told:
    """What the API says at one moment."""

    totals: Mapping[str, int | None]  # by account
    failed: frozenset[str]  # accounts that say why they could not be read
    stale: frozenset[str]  # and those that say that they are old
    total: int | None  # of everything
    status: str
    complete: bool
    missing: frozenset[str]


class Town:
    """A workspace that holds money at every provider, and cash."""

    def __init__(self, state: Path, people: int) -> None:
        self.branches = {slug: Branch(slug, state) for slug in registry.slugs()}
        settings.PROVIDER_URLS = {s: b.hosts for s, b in self.branches.items()}
        self.workspace = Workspace.objects.create(name="town")
        self.client = member("mayor", (self.workspace, "viewer"))
        self.client.defaults["SERVER_NAME"] = (
            "localhost"  # without a test around it too
        )
        for slug, branch in self.branches.items():
            names = [f"{slug}-{number}" for number in range(people)]
            pots = {"pots": 2} if issubclass(providers.load(slug), MovesMoney) else {}
            for one in branch.remote.add_customers(names, **pots):
                services.connect(self.workspace, slug, one.credentials, label=one.name)
        purse = services.connect(self.workspace, cash_slug(), {}, label="purse")
        jar = services.create_typed_account(purse, "Jar", self.asset)
        services.record_typed_balance(jar, CASH, user=None)
        self.base = services.base_of(self.workspace)
        self.units = {str(a.pk): a.unit for a in Account.objects.all()}
        for code in {unit.code for unit in self.units.values()} - {self.base.code}:
            services.keep_rate(self.workspace, code, self.base.code, Decimal(1))

    @cached_property
    def asset(self):
        """The asset that what is at the first provider is counted in."""
        self.sync()
        return Account.objects.exclude(balance=None).first().unit

    def close(self) -> None:
        for branch in self.branches.values():
            branch.kill()

    def sync(self, *slugs: str) -> None:
        """Let it be as if the next sync's time had come, and beat had noticed."""
        rows = Connection.objects.in_use().exclude(next_sync_at=None)
        wanted = rows.filter(provider__in=slugs or list(self.branches))
        wanted.update(next_sync_at=now())
        tasks.dispatch_due_syncs()

    def worth(self, totals: Mapping[str, int | None]) -> int:
        """Return what `totals` come to where one unit of anything is worth another's."""
        return round(
            sum(
                Fraction(total) * Fraction(10) ** (self.base.decimals - unit.decimals)
                for pk, total in totals.items()
                for unit in [self.units[pk]]
                if total is not None
            )
        )

    def let_time_pass(self) -> None:
        """Let it be later than a balance may be old: all were read that long ago."""
        Balance.objects.update(
            as_of=F("as_of") - LONGER, fetched_at=F("fetched_at") - LONGER
        )

    def let_the_second_pass(self) -> None:
        """Wait for the next one: a chain tells whole seconds, and has no two blocks in one.

        Its sandbox makes a block for each payment, at once.
        """
        time.sleep(1 - time.time() % 1)

    def accounts_at(self, slug: str) -> frozenset[str]:
        rows = Account.objects.filter(provider=slug, closed_at=None)
        return frozenset(map(str, rows.values_list("pk", flat=True)))

    def told(self) -> Told:
        """Ask our API what everybody holds."""
        answers = {
            pk: self.get(f"/accounts/{pk}/balance/")
            for pk in map(str, Account.objects.values_list("pk", flat=True))
        }
        whole = self.get("/portfolio/")
        return Told(
            {pk: minor(told["total"]) for pk, told in answers.items()},
            frozenset(pk for pk, told in answers.items() if told["error"]),
            frozenset(pk for pk, told in answers.items() if told["stale"]),
            minor(whole["total"]),
            whole["status"],
            whole["complete"],
            frozenset(doubt["account"] for doubt in whole["missing"]),
        )

    def get(self, path: str) -> dict[str, Any]:
        answer = self.client.get(f"{V1}{path}")
        assert answer.status_code == 200, (path, answer.content)
        return answer.json()

    def books(self, slugs: Iterable[str]) -> dict[str, int]:
        """Return what each provider's own ledger says, by our account."""
        held: dict[str, int] = {}
        for slug in slugs:
            ledger = self.branches[slug].remote.balances()
            for row in Account.objects.filter(provider=slug, closed_at=None):
                if row.external_id in ledger:
                    held[str(row.pk)] = ledger[row.external_id]
        return held

    def pay_somebody(self, slug: str, amount: int) -> str:
        """Let money come in at a provider; return the account."""
        row = Account.objects.filter(provider=slug, parent=None).first()
        self.branches[slug].remote.pay(row.external_id, amount)
        return str(row.pk)

    def recover(self, slug: str) -> float:
        """Keep to the schedule until all is well again; return how long that took."""
        begun = time.monotonic()
        while not (whole := self.get("/portfolio/"))["complete"]:
            assert time.monotonic() - begun < PATIENCE, self.ill()
            time.sleep(0.25)  # breakers look at the clock
            self.sync(slug, *{doubt["provider"] for doubt in whole["missing"]})
        return time.monotonic() - begun

    def ill(self) -> list[tuple[str, ...]]:
        """Return what is wrong, and where."""
        rows = Connection.objects.in_use().exclude(error="")
        told = rows.values_list("provider", "label", "health", "error_code", "error")
        missing = [
            tuple(map(str, doubt.values()))
            for doubt in self.get("/portfolio/")["missing"]
        ]
        return [*told, *missing]

    def snapshots(self) -> dict[Any, dict[str, str]]:
        """Return, by its key, what each snapshot says."""
        told = ("account", "total", "available", "as_of", "source")
        rows = BalanceSnapshot.objects.values_list("pk", *told)
        return {pk: dict(zip(told, map(str, of), strict=True)) for pk, *of in rows}


def minor(money: dict[str, str] | None) -> int | None:
    return None if money is None else int(money["minor"])


@contextmanager
def town(state: Path, people: int) -> Iterator[Town]:
    """Open the town; at the end its providers are closed for good.

    It asks about each account again and again: more often than one caller may.
    """
    before, place = settings.PROVIDER_URLS, Town(state, people)
    limits = {rate: rate.limit for rate in (AddressRate, CallerRate)}
    for rate in limits:
        rate.limit = ENOUGH
    try:
        yield place
    finally:
        place.close()
        settings.PROVIDER_URLS = before
        for rate, limit in limits.items():
            rate.limit = limit
