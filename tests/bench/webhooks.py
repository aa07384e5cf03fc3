"""How long a provider that calls waits for its answer: as usual, and with a queue that hangs.

`python3 manage.py bench webhooks` starts one granian worker and a Valkey of its own, lets
so many callers tell one event after the other, and prints what they waited for, beside a
view that answers with a constant. Then Valkey is stopped in the middle of its work.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

from django.core.management import call_command
from rich.console import Console
from rich.table import Table

from accounts.models import Connection, WebhookInbox, Workspace
from accounts.services.webhooks import digest
from balsync_project import embedded
from balsync_project.guard import Guard
from tests.bench.read import HOST, Place, asked, server, told_by
from tests.fixtures_bank import BANK

SECRET = "s" * 43
CONSOLE = Console(width=100)


def main(argv: Sequence[str]) -> None:
    """Measure both, and print a table."""
    wish = parser().parse_args(argv)
    call_command("migrate", verbosity=0)
    Connection.objects.create(
        workspace=Workspace.objects.create(name="bench"),
        provider=BANK,
        credentials={"access_token": "bench"},
        webhook_digest=digest(SECRET),
    )
    table = Table(title=f"{wish.callers} callers, one worker of {wish.threads} threads")
    for heading in ("", "answers/s", "p50 ms", "p99 ms", "longest ms", "noted"):
        table.add_column(heading, justify="right" if heading else "left")
    with queue() as (url, pid), server(wish.threads, 0, REDIS_URL=url) as place:
        constant = [asked(f"/constant/{uuid4()}")]
        measure(table, "a constant", place, constant, wish)
        measure(table, "an event", place, events(wish), wish)
        os.kill(pid, signal.SIGSTOP)
        measure(table, "an event, the queue hangs", place, events(wish), wish)
        os.kill(pid, signal.SIGCONT)
    CONSOLE.print(table)


def parser() -> argparse.ArgumentParser:
    wishes = argparse.ArgumentParser(
        prog="manage.py bench webhooks", description=__doc__
    )
    wishes.add_argument("--callers", type=int, default=8)
    wishes.add_argument("--threads", type=int, default=8, help="of the one worker")
    wishes.add_argument("--seconds", type=float, default=10.0)
    wishes.add_argument("--events", type=int, default=20_000, help="then they repeat")
    return wishes


@contextmanager
def queue() -> Iterator[tuple[str, int]]:
    """Run a Valkey that may be stopped; yield its address and its process."""
    guard, sockets = Guard(), embedded.private_sockets()
    guard.remove_at_end(sockets)
    with TemporaryDirectory() as folder:
        valkey = embedded.valkey(Path(folder) / "valkey", sockets, careless=True)
        with valkey.log.open("ab") as log:
            pid = guard.spawn(
                valkey.command, os.environ, output=log.fileno(), death=signal.SIGKILL
            )
        valkey.wait(lambda: os.waitpid(pid, os.WNOHANG) == (0, 0))
        yield valkey.url, pid
        guard.close()


def events(wish: argparse.Namespace) -> list[str]:
    """Return requests that each tell of something new."""
    return [posted(f"/webhooks/{BANK}/{SECRET}/") for _ in range(wish.events)]


def posted(path: str) -> str:
    """Return the text of a call that tells of an event nobody heard of yet."""
    told = {"type": "transaction.created", "data": {"id": f"tx_{uuid4().hex}"}}
    body = json.dumps(told)
    head = [f"POST {path} HTTP/1.1", f"Host: {HOST}", "Content-Type: application/json"]
    return "\r\n".join([*head, f"Content-Length: {len(body)}", "", body])


def measure(
    table: Table,
    name: str,
    place: Place,
    requests: list[str],
    wish: argparse.Namespace,
) -> None:
    before = WebhookInbox.objects.count()
    told = told_by(place, requests, wish.callers, wish.seconds)
    table.add_row(
        name,
        f"{told['count'] / told['seconds']:,.0f}",
        *(f"{told[column]:.1f}" for column in ("p50", "p99", "longest")),
        f"{WebhookInbox.objects.count() - before:,}",
    )
