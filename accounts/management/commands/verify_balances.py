from __future__ import annotations

from argparse import ArgumentParser
from collections import Counter
from typing import Any

from django.core.management.base import CommandError
from rich.console import Console
from rich.table import Table

from accounts import agreement, services
from accounts.agreement import AGREES, DIFFERS, PLACES, UNKNOWN, Comparison
from accounts.management.base import Command as Base
from accounts.models import Account, Workspace
from accounts.moneyjson import money
from providers.money import Asset


class Command(Base):
    help = (
        "Compares what the cache, the rows, the history and the providers say of every "
        "account. Moves and writes nothing; fails unless all agree."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--workspace", metavar="NAME")
        parser.add_argument("--offline", action="store_true", help="ask no provider")

    def handle(self, **options: Any) -> None:
        accounts = self.wanted(options["workspace"])
        found = services.compare_balances(
            accounts, ask_providers=not options["offline"]
        )
        if options["json"]:
            self.tell({"accounts": [told(one) for one in found]}, (), **options)
        else:
            Console(file=self.stdout, width=120).print(table(found))
        counts = Counter(one.state for one in found)
        summary = f"{counts[DIFFERS]} differ, {counts[UNKNOWN]} are not known"
        if counts[DIFFERS] or counts[UNKNOWN]:
            raise CommandError(f"Of {len(found)} accounts {summary}", returncode=1)

    def wanted(self, workspace: str | None) -> list[Account]:
        """Return the accounts in use; raises CommandError where nobody has that name."""
        rows = Account.objects.open().filter(active=True)
        rows = rows.filter(connection__archived_at=None)
        if workspace is not None:
            if not Workspace.objects.filter(name=workspace).exists():
                raise CommandError(f"There is no workspace {workspace}")
            rows = rows.filter(workspace__name=workspace)
        return list(rows.select_related("connection", "parent"))


def table(found: list[agreement.Account]) -> Table:
    """Return one line per account, with by how much each place is off."""
    shown = Table(title="What is said of each account, beside its row")
    for heading in ("account", "row", *PLACES):
        shown.add_column(heading)
    for one in found:
        unit = Asset.parse(one.asset)
        row = f"{unit.major(one.row.total)} {unit.code}" if one.row else "unknown"
        cells = [cell(one.places[name], unit) for name in PLACES]
        shown.add_row(one.name, row, *cells)
    return shown


def cell(place: Comparison, unit: Asset) -> str:
    if place.state == AGREES:
        return AGREES
    if place.state != DIFFERS:
        return f"{place.state}: {place.why}" if place.state == UNKNOWN else place.why
    off = ", ".join(
        f"{name} {'+' if by > 0 else ''}{unit.major(by)}"
        for name, by in place.off.items()
    )
    return f"{DIFFERS}: {off}"


def told(one: agreement.Account) -> dict[str, Any]:
    """Return an account as JSON; `off` is by how much more a place says."""
    return {
        "account": one.id,
        "name": one.name,
        "asset": one.asset,
        "state": one.state,
        "total": one.row and money(one.row.total, one.asset),
        **{name: place_told(one.places[name], one.asset) for name in PLACES},
    }


def place_told(place: Comparison, asset: str) -> dict[str, Any]:
    there = place.said.figures
    return {
        "state": place.state,
        "total": there and money(there.total, asset),
        "off": {name: money(by, asset) for name, by in place.off.items()},
        "why": place.why,
    }
