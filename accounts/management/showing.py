"""Tables and progress bars for people at a terminal; scripts get lines or JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO
from uuid import UUID

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from accounts.models import SyncRun
from accounts.services.trading import Tell
from accounts.trading import progress as trading

TONES = {"ok": "green", "partial": "yellow", "failed": "red", "running": "cyan"}
HEADINGS = ("connection", "status", "accounts", "orders", "trades", "positions")
HEADINGS += ("new", "changed", "calls")  # a terminal may be no wider than 80


def is_terminal(stream: TextIO) -> bool:
    """Say whether a person looks at `stream`."""
    return hasattr(stream, "isatty") and stream.isatty()


def table(runs: Sequence[SyncRun]) -> Table:
    """Return one line per sync."""
    shown = Table(title="Syncs", padding=(0, 0))
    for heading in HEADINGS:
        amount = heading not in ("connection", "status")
        side = "right" if amount else "left"
        shown.add_column(heading, justify=side, overflow="fold", min_width=len(heading))
    for run in runs:
        shown.add_row(*cells(run))
    return shown


def troubles(runs: Sequence[SyncRun]) -> Iterator[str]:
    """Yield what is wrong, in full, under the table."""
    for run in runs:
        if run.error:
            yield f"{run.connection}: {run.error}"


def cells(run: SyncRun) -> Iterator[str]:
    found = trading.Progress.read(run.progress)
    yield str(run.connection)
    yield f"[{TONES.get(run.status, 'white')}]{run.status}[/]"
    yield str(len(run.results))
    told = (found.orders, found.trades, found.positions, found.found, found.changed)
    yield from map(str, told) if run.progress is not None else ("–",) * len(told)
    yield str(run.requests)


@contextmanager
def followed(stream: TextIO, *, wanted: bool) -> Iterator[Tell | None]:
    """Show how far syncs come, a bar for each; nothing where nobody looks."""
    if not wanted or not is_terminal(stream):
        yield None
        return
    columns = (
        TextColumn("{task.fields[who]}", table_column=Column(max_width=24)),
        BarColumn(20),
        TextColumn("{task.percentage:>3.0f} %", table_column=Column(min_width=5)),
        TimeElapsedColumn(),
        # The narrower the terminal, the less is told; the bar stays.
        TextColumn("{task.description}", table_column=Column(ratio=1, no_wrap=True)),
    )
    bars: dict[UUID, TaskID] = {}
    with Progress(*columns, console=Console(file=stream), expand=True) as shown:

        def tell(run: SyncRun, found: trading.Progress) -> None:
            if run.pk not in bars:
                who = str(run.connection)
                bars[run.pk] = shown.add_task("", total=100, who=who)
            text = found.text
            if found.waits_until:
                text += f" (waits until {found.waits_until[11:19]} UTC)"
            shown.update(bars[run.pk], completed=found.part, description=text)

        yield tell
