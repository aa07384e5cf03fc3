"""The tables under an account's and a connection's fields: what is newest of each."""

from __future__ import annotations

from django.db.models import F
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.models import Account, Connection, Transaction

from . import show
from .base import Panel

NEWEST = 10


def progress(row: Account) -> SafeString:
    """Return how far a goal is reached; an unknown balance has no progress."""
    balance = show.known(row)
    if not row.goal:
        return show.NOTHING
    if balance is None:
        return show.UNKNOWN
    percent = max(0, int(balance.total) * 100 // int(row.goal))
    return format_html(
        '<span class="bs-goal" title="{} % of {}"><progress max="100" value="{}">'
        "</progress>{} %</span>",
        percent,
        row.unit.major(row.goal),
        min(percent, 100),
        percent,
    )


def pots_panel(row: Account) -> Panel:
    """Return the pots of an account."""
    pots = row.pots.select_related("balance", "connection").order_by("name")
    return Panel(
        "Pots",
        ["Pot", "Total", "Age", "Goal"],
        [
            [
                show.link(pot),
                show.money(held and held.total, pot.asset),
                show.age(pot),
                progress(pot),
            ]
            for pot in pots
            for held in [show.known(pot)]
        ],
        empty="No pots.",
    )


def snapshots_panel(row: Account, more: str) -> Panel:
    """Return the newest snapshots of an account."""
    return Panel(
        "Snapshots",
        ["True at", "Total", "Available", "Source"],
        [
            [
                show.exact(past.as_of),
                show.money(past.total, row.asset),
                show.money(past.available, row.asset),
                past.source,
            ]
            for past in row.snapshots.all()[:NEWEST]
        ],
        more=more,
        more_text="All snapshots",
    )


def chain_panel(row: Account) -> Panel:
    """Return who else may take money out of a wallet, and how much."""
    state = row.chain
    coming = state.unconfirmed
    said = f"Of block {state.number}, asked {show.exact(state.read_at)}"
    if coming is not None and coming != getattr(show.known(row), "total", None):
        amount = f"{row.unit.major(coming)} {row.unit.code}"
        said += f"; with what is not final yet: {amount} (unconfirmed)"
    return Panel(
        f"On the chain. {said}",
        ["Who may take from it", "Address", "At most"],
        [
            [
                allowed.name or show.NOTHING,
                allowed.spender,
                show.label("unlimited", "warn", "Everything, now and later")
                if allowed.unlimited
                else show.money(allowed.amount, row.asset),
            ]
            for allowed in row.allowances.all()
        ],
        right=("At most",),
        empty="Nobody else may take anything from it, of those who were asked about.",
    )


def days_panel(row: Account) -> Panel:
    """Return the newest days of which only the figures are kept."""
    kept = row.days.filter(first_at__lt=row.days_only_until)
    return Panel(
        "Days",
        ["Day (UTC)", "First", "Last", "Lowest", "Highest", "Changes"],
        [
            [
                day.day.isoformat(),
                show.money(day.first, row.asset),
                show.money(day.last, row.asset),
                show.money(day.lowest, row.asset),
                show.money(day.highest, row.asset),
                day.count,
            ]
            for day in kept[:NEWEST]
        ],
        right=("First", "Last", "Lowest", "Highest", "Changes"),
    )


def transactions_panel(row: Account, more: str) -> Panel:
    """Return the newest transactions of an account; what went to a pot names it."""
    pots = {pot.external_id: f"pot {pot}" for pot in row.pots.all()}
    return Panel(
        "Transactions",
        ["When", "What", "Amount", "Category"],
        [
            [
                show.exact(moved.created),
                show.link(moved, pots.get(moved.pot) or who(moved)),
                show.change(moved.amount, moved.asset),
                show.label("declined", "bad", moved.declined)
                if moved.declined
                else moved.category,
            ]
            for moved in row.transactions.all()[:NEWEST]
        ],
        more=more,
        more_text="All transactions",
    )


def who(moved: Transaction) -> str:
    return moved.counterparty or moved.description or "movement"


def accounts_panel(row: Connection) -> Panel:
    """Return what a connection holds."""
    accounts = row.accounts.select_related("balance", "parent", "connection")
    return Panel(
        "Accounts",
        ["Account", "Kind", "Total", "Age"],
        [
            [
                show.link(account, show.place(account)),
                account.kind,
                show.money(held and held.total, account.asset),
                show.age(account),
            ]
            for account in accounts.order_by(
                F("parent__name").asc(nulls_first=True), "name"
            )
            for held in [show.known(account)]
        ],
        empty="No account was seen yet.",
    )


def syncs_panel(row: Connection, history_list) -> Panel:
    """Return the newest syncs of a connection."""
    runs = row.sync_runs.all()
    return Panel(
        "Syncs",
        ["When", "Kind", "Status", "API calls", "Error"],
        [
            [
                show.link(run, show.exact(run.created)),
                show.words(run.kind),
                show.status(run.status),
                run.requests,
                run.error or show.NOTHING,
            ]
            for run in runs[:NEWEST]
        ],
        more=history_list(runs.model, connection__id__exact=row.pk),
        more_text="All syncs",
        right=("API calls",),
    )


def webhooks_panel(row: Connection, history_list) -> Panel:
    """Return what a provider told of by itself, and what became of that."""
    heard = row.webhook_events.all()
    listening = "no address is open" if row.webhook_digest is None else "open"
    return Panel(
        f"Webhooks: {listening}",
        ["When", "Event", "Status", "Came"],
        [
            [
                show.link(event, show.exact(event.created)),
                event.event_id,
                show.status(event.status),
                f"{event.deliveries}×",
            ]
            for event in heard.defer("body")[:NEWEST]
        ],
        more=history_list(heard.model, connection__id__exact=row.pk),
        more_text="All events",
        right=("Came",),
        empty="Nothing was told yet.",
    )
