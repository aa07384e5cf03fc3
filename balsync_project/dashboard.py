"""The first page: what is held, how sure that is, and what moved."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.admin import show
from accounts.admin.base import Panel, Role, may
from accounts.admin.connection import can_be_asked
from accounts.admin.panels import progress
from accounts.admin.worth import assets_panel, providers_panel, worth
from accounts.models import (
    Account,
    Connection,
    Discrepancy,
    QuarantinedReading,
    Workspace,
)
from automation.admin.run import moved, with_moved
from automation.models import Rule, RuleRun
from providers.money import Asset

from .needs import mine, needs, stuck_url
from .switch import switches
from .sync_health import connections_panel

RUNS = 8
DUE = 6
OPEN = 8
TOTALS = 4  # cards; what else is held is listed below


@dataclass(slots=True)
class Total:
    """What is known to be held of one asset, in minor units, and what is missing.

    Providers divide an asset differently; `asset` is as fine as the finest of them.
    """

    asset: Asset
    known: int = 0
    counted: int = 0
    unknown: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)

    def add(self, account: Account) -> None:
        """Count one account; an unknown one is missing, never zero."""
        self.counted += 1
        balance = show.known(account)
        if balance is None:
            self.unknown.append(show.place(account))
            return
        finer = self.asset.decimals - account.unit.decimals
        self.known += int(balance.total) * 10**finer
        interval = timedelta(seconds=account.connection.sync_interval_seconds)
        if balance.trouble or balance.is_overdue(interval):
            self.stale.append(show.place(account))

    @property
    def code(self) -> str:
        return self.asset.code

    @property
    def value(self) -> SafeString:
        if len(self.unknown) == self.counted:
            return show.UNKNOWN
        return show.brief(self.known, str(self.asset))

    @property
    def note(self) -> str:
        """Return how complete the total is."""
        accounts = "1 account" if self.counted == 1 else f"{self.counted} accounts"
        missing = [
            f"{len(names)} {word}: {', '.join(names[:3])}{'…' if names[3:] else ''}"
            for word, names in (("unknown", self.unknown), ("stale", self.stale))
            if names
        ]
        return f"{accounts}, {'; '.join(missing) if missing else 'complete'}"

    @property
    def complete(self) -> bool:
        return not self.unknown and not self.stale


def fill(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add what the first page shows, from the user's own workspaces."""
    accounts = list(mine(request, Account).filter(active=True).open())
    connections = list(mine(request, Connection).in_use())
    workspaces = list(mine(request, Workspace).order_by("name"))
    card = worth(request, workspaces)
    return context | {
        "totals": totals(accounts)[:TOTALS],
        "panels_main": [
            accounts_panel(accounts),
            *assets(card),
            runs_panel(mine(request, RuleRun)),
        ],
        "worth": card,
        "panels_side": [
            *places(card),
            connections_panel(connections),
            due_panel(mine(request, Rule)),
            discrepancies_panel(mine(request, Discrepancy)),
            *in_quarantine(mine(request, QuarantinedReading)),
        ],
        "needs": needs(request, connections),
        "stuck_url": stuck_url(),
        "snapshot_url": snapshot_url(request, connections),
        "switches": switches(request),
        "connect_url": reverse("admin:accounts_connection_add"),
        "empty": not connections,
        "title": "Dashboard",
    }


def places(card: dict[str, Any] | None) -> list[Panel]:
    """Return where the net worth is."""
    found = card and card["found"]
    return [providers_panel(found)] if found and found.holdings else []


def assets(card: dict[str, Any] | None) -> list[Panel]:
    """Return what the net worth is, where it is of several assets."""
    found = card and card["found"]
    several = found and len({row.asset for row in found.holdings}) > 1
    return [assets_panel(found)] if several else []


def snapshot_url(request: HttpRequest, connections: Iterable[Connection]) -> str:
    """Return where to ask every provider; nothing where there is nobody to ask."""
    asked = any(can_be_asked(row) for row in connections)
    return reverse("snapshot") if asked and may(request, Role.OPERATOR) else ""


def totals(accounts: Iterable[Account]) -> list[Total]:
    """Return what is held of each asset, most accounts first; only counted ones add up."""
    counted = [account for account in accounts if account.automates]
    finest: dict[str, int] = {}
    for unit in (account.unit for account in counted):
        finest[unit.code] = max(unit.decimals, finest.get(unit.code, 0))
    found = {code: Total(Asset(code, places)) for code, places in finest.items()}
    for account in counted:
        found[account.unit.code].add(account)
    return sorted(found.values(), key=lambda total: (-total.counted, total.code))


def tree(accounts: Sequence[Account]) -> list[Account]:
    """Return accounts in order, pots under the account they are inside of."""
    inside: dict[Any, list[Account]] = {}
    for account in sorted(accounts, key=lambda row: str(row).lower()):
        inside.setdefault(account.parent_id, []).append(account)
    known = {account.pk for account in accounts}
    roots = [row for row in accounts if row.parent_id not in known]
    roots.sort(key=lambda row: row.connection.created)
    return [row for root in roots for row in (root, *inside.get(root.pk, ()))]


def accounts_panel(accounts: Sequence[Account]) -> Panel:
    rows = [
        [
            show.link(row, name(row)),
            show.provider(row.provider),
            show.age(row),
            progress(row),
            show.brief(held and held.total, row.asset),
        ]
        for row in tree(accounts)
        for held in [show.known(row)]
    ]
    return Panel(
        "Accounts and pots",
        ["Account", "Where", "Age", "Goal", "Balance"],
        rows,
        empty="No account yet: connect a bank first.",
        more=reverse("admin:accounts_account_changelist"),
        more_text="All",
        right=("Balance",),
    )


def name(row: Account) -> SafeString:
    """Return an account's name; a pot stands under its account."""
    text = row if row.automates else f"{row} (counted elsewhere)"
    return format_html(
        '<span class="{}">{}</span>', "bs-pot" if row.parent_id else "", text
    )


def runs_panel(runs: QuerySet[RuleRun]) -> Panel:
    newest = with_moved(runs.select_related("rule")).order_by("-created")[:RUNS]
    return Panel(
        "Latest runs",
        ["When", "Rule", "Status", "Why", "Moved"],
        [
            [
                show.when(run.created),
                show.link(run, str(run.rule)),
                show.status(run.status, run.reason),
                run.reason or show.NOTHING,
                moved(run),
            ]
            for run in newest
        ],
        empty="No rule has run yet.",
        more=reverse("admin:automation_rulerun_changelist"),
        more_text="All",
    )


def due_panel(rules: QuerySet[Rule]) -> Panel:
    due = rules.in_use().filter(enabled=True).exclude(next_due_at=None)
    return Panel(
        "Due next",
        ["Rule", "When", "Exactly"],
        [
            [show.link(row), show.due(row.next_due_at), show.exact(row.next_due_at)]
            for row in due.order_by("next_due_at")[:DUE]
        ],
        empty="No rule is scheduled.",
        more=reverse("admin:automation_rule_changelist"),
        more_text="All rules",
    )


def discrepancies_panel(rows: QuerySet[Discrepancy]) -> Panel:
    known = rows.filter(status=Discrepancy.Status.OPEN).select_related("account")
    return Panel(
        "Open discrepancies",
        ["What", "Expected", "Actual"],
        [
            [
                show.link(row),
                show.money(row.expected, row.account.asset),
                show.money(row.actual, row.account.asset),
            ]
            for row in known[:OPEN]
        ],
        empty="Everything agrees.",
        more=reverse("admin:accounts_discrepancy_changelist"),
        more_text="All",
        right=("Expected", "Actual"),
    )


def in_quarantine(rows: QuerySet[QuarantinedReading]) -> list[Panel]:
    """Return what waits for a person to believe it, if anything does."""
    waiting = list(rows.waiting().select_related("account", "connection")[:OPEN])
    if not waiting:
        return []
    lines = [[show.link(row), row.text, show.when(row.last_seen_at)] for row in waiting]
    more = reverse("admin:accounts_quarantinedreading_changelist")
    headers = ["In quarantine", "What is wrong", "Last"]
    return [Panel("Not believed", headers, lines, more=more, more_text="All")]
