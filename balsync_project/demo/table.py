"""A payday as tables: what moved and why, and what each account holds now."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

from accounts.models import Account
from automation.models import RuleRun, Transfer
from providers.money import Asset, pretty

from .payday import Payday


def show(day: Payday, console: Console) -> None:
    """Print what moved and why, then our books beside the bank's."""
    console.print(moves(day))
    console.print(books(day))


def moves(day: Payday) -> Table:
    """Return one row per transfer, under the rule that wanted it."""
    table = Table(title="What moved, and why", title_justify="left", show_lines=False)
    for column in ("rule", "from", "to"):
        table.add_column(column, overflow="fold")
    table.add_column("amount", justify="right", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("why", overflow="fold")
    for run in day.runs:
        for index, transfer in enumerate(t for t in day.transfers() if t.run == run):
            table.add_row(
                run.rule.name if index == 0 else "",
                str(transfer.source),
                str(transfer.target),
                amount(int(transfer.amount), transfer.asset),
                transfer.status,
                why(run, transfer),
            )
        table.add_section()
    return table


def why(run: RuleRun, transfer: Transfer) -> str:
    """Return the words of the decision that led to a transfer."""
    if transfer.step:
        return "second half: pots meet in their account"
    move = run.moves[transfer.move]
    for end in ("target", "source"):
        said = [s["text"] for s in run.trace if s.get("account") == move[end]]
        if said:
            return said[-1]
    return run.reason


def books(day: Payday) -> Table:
    """Return what each account held before and holds now, by us and by the bank."""
    held = day.bank.balances()
    table = Table(title="Every account, checked against the bank's own ledger")
    table.title_justify = "left"
    table.add_column("account")
    for column in ("before", "now", "the bank says"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("")
    for account in day.accounts():
        there = held[account.external_id]
        table.add_row(*row(account, day.before[account.external_id], there))
    return table


def row(account: Account, before: int, there: int) -> Iterator[str]:
    """Yield the cells of one account."""
    ours = int(account.balance.total)
    yield str(account)
    yield amount(before, account.asset)
    yield amount(ours, account.asset)
    yield amount(there, account.asset)
    yield "agrees" if ours == there else "DIFFERS"


def amount(minor: int, asset: str) -> str:
    """Return minor units as people read them."""
    return pretty(minor, Asset.parse(asset))
