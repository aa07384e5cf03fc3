"""The main job, measured: naive design, this product and the floor, side by side.

`python3 manage.py bench sync` runs all three against the same sandbox bank in one go
and prints ratios. An account is one customer: a current account with `--pots` pots in
it. Several numbers of pots are measured one after the other.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import redis
import requests
from celery import current_app
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.db.models import QuerySet
from django.utils.timezone import now
from rich.console import Console
from rich.table import Table

import providers
from accounts import services, tasks
from accounts.models import Account, Connection, Workspace
from balsync_project.guard import Guard, signal_group
from providers.base import ListsMovements, Place
from providers.sandbox import registry
from providers.sandbox.remote import Remote
from providers.wire import Request, Response, drive
from tests.bench import naive
from tests.bench.meter import Cost, Meter, wait_until

ROOT = Path(__file__).parents[2]
GUARD = Guard()
CONSOLE = Console()
CELERY = [sys.executable, "-m", "celery", "-A", "balsync_project", "worker"]
CELERY += ["--without-gossip", "--without-mingle", "--without-heartbeat", "-l", "ERROR"]


def main(argv: Sequence[str]) -> None:
    """Measure everything asked for and print it."""
    wish = parser().parse_args(argv)
    call_command("migrate", verbosity=0)
    for pots in wish.pots:
        measure_shape(pots, wish)


def measure_shape(pots: int, wish: argparse.Namespace) -> None:
    """Measure customers with so many pots, at each latency."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, bank(folder) as remote:
        open_connections(remote, wish.accounts, pots)
        rows = everybody().prefetch_related("accounts__balance")
        works = [recorded(row) for row in rows]
        CONSOLE.log(f"recorded the requests of {len(works)} connections")
        for latency in wish.latency:
            found = measure(remote, works, latency, wish)
            report(title(latency, pots, works, wish), found)
    everybody().update(archived_at=now())


def everybody() -> QuerySet[Connection]:
    """Return the connections of the customers that are measured now."""
    return Connection.objects.in_use()


def parser() -> argparse.ArgumentParser:
    wishes = argparse.ArgumentParser(prog="manage.py bench sync", description=__doc__)
    wishes.add_argument("--accounts", type=int, default=4000)
    wishes.add_argument("--naive-accounts", type=int, default=240)
    wishes.add_argument("--latency", type=int, nargs="+", default=[100, 20])
    wishes.add_argument("--pots", type=int, nargs="+", default=[2], help="of each")
    wishes.add_argument("--changed", type=int, default=10, help="percent per sync")
    wishes.add_argument("--workers", type=int, default=4, help="sync processes")
    wishes.add_argument("--rounds", type=int, default=3, help="of product and floor")
    return wishes


# --- the other side ---


@contextmanager
def bank(folder: str) -> Iterator[Remote]:
    """Run the sandbox as a process of its own."""
    slug = next(
        s for s in registry.slugs() if issubclass(providers.load(s), ListsMovements)
    )
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "providers.sandbox", "--port", str(port)]
    with running([*command, "--state", folder]) as pid:
        remote = Remote(f"http://127.0.0.1:{port}", slug)
        remote.pid = pid
        wait_until(lambda: answers(port), seconds=20)
        hosts = registry.load(slug).mounts
        os.environ["BALSYNC_PROVIDER_URLS"] = json.dumps(
            {slug: {key: f"{remote.url}/{slug}{path}" for key, path in hosts.items()}}
        )
        settings.PROVIDER_URLS = json.loads(os.environ["BALSYNC_PROVIDER_URLS"])
        yield remote


def answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def running(command: Sequence[str], **more: str) -> Iterator[int]:
    """Run a process until the block ends, or until this process does."""
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "balsync_project.settings",
        "LOG_LEVEL": "ERROR",
        "PYTHONPATH": str(ROOT),
        "REMAP_SIGTERM": "SIGQUIT",
        "WORKER_SHUTDOWN_SECONDS": "2",
        **more,
    }
    with open(os.devnull, "wb") as nowhere:
        pid = GUARD.spawn(command, environment, output=nowhere.fileno())
    try:
        yield pid
    finally:
        signal_group(pid, signal.SIGTERM)
        os.waitpid(pid, 0)
        signal_group(pid, signal.SIGKILL)
        GUARD.forget(pid)


def open_connections(remote: Remote, count: int, pots: int) -> None:
    """Make `count` customers there and their connections here, and discover accounts."""
    names = [f"customer-{number}" for number in range(count)]
    customers = remote.add_customers(names, pots=pots)
    workspace = Workspace.objects.create(name="bench")
    Connection.objects.bulk_create(
        Connection(
            workspace=workspace,
            provider=remote.slug,
            label=c.name,
            credentials=dict(c.credentials),
            external_user=c.account.external_id,
        )
        for c in customers
    )
    for kind in ("start_up", "manual"):  # discover, then read the movements so far
        for chunk in chunks(list(everybody()), 500):
            services.sync(chunk, kind, seconds=60)
            CONSOLE.log(f"{kind} sync of {len(chunk)} connections")


def chunks(rows: list, size: int) -> Iterator[list]:
    return (rows[start : start + size] for start in range(0, len(rows), size))


def shake(remote: Remote, percent: int) -> None:
    """Let some customers' balances change, as they would between two syncs."""
    if percent:
        main_accounts = Account.objects.filter(
            parent=None, connection__in=everybody()
        ).order_by("?")
        some = main_accounts[: main_accounts.count() * percent // 100]
        for account in some:
            remote.pay(account.external_id, 100, description="A refund")


# --- the contenders ---


def measure(
    remote: Remote, works: list, latency: int, wish: argparse.Namespace
) -> dict[str, list[Cost]]:
    """Run every contender at one latency; the product and the floor take turns."""
    remote.configure(latency=latency / 1000)
    try:
        found: dict[str, list[Cost]] = {"naive": [run_naive(wish, remote)]}
        found |= {"balsync": [], "floor": []}
        for _ in range(wish.rounds):
            found["balsync"].append(run_product(wish, remote))
            found["floor"].append(run_floor(works, remote))
    finally:
        remote.configure(latency=0.0)
    return found


def run_naive(wish: argparse.Namespace, remote: Remote) -> Cost:
    """Time one task per account on eight processes."""
    command = [*CELERY, "-I", naive.__name__, "-Q", naive.QUEUE, "-c", "8"]
    ids = [
        str(i) for i in everybody().values_list("pk", flat=True)[: wish.naive_accounts]
    ]
    counter = redis.Redis.from_url(settings.REDIS_URL)
    with running(command) as worker:
        warm_up(counter, ids[:8])
        meter = Meter(groups(worker, remote))
        meter.start()
        for pk in ids:
            current_app.send_task(naive.sync.name, [pk], queue=naive.QUEUE)
        wait_until(lambda: int(counter.get(naive.DONE) or 0) >= len(ids), seconds=300)
        return meter.stop(len(ids))


def warm_up(counter: redis.Redis, ids: list[str]) -> None:
    counter.delete(naive.DONE)
    for pk in ids:
        current_app.send_task(naive.sync.name, [pk], queue=naive.QUEUE)
    wait_until(lambda: int(counter.get(naive.DONE) or 0) >= len(ids), seconds=60)
    counter.delete(naive.DONE)


def run_product(wish: argparse.Namespace, remote: Remote) -> Cost:
    """Time the periodic sync: due rows, dispatcher, batches, workers, every check."""
    command = [*CELERY, "-Q", "sync", "-c", str(wish.workers)]
    with running(command) as worker:
        sync_all(let_be_due())  # a worker that runs has imported and is connected
        shake(remote, wish.changed)
        begun, count = let_be_due(), everybody().count()
        meter = Meter(groups(worker, remote))
        meter.start()
        sync_all(begun)
        return meter.stop(count)


def let_be_due() -> datetime:
    """Let everything be due now, as time does where nobody measures."""
    begun = now()
    everybody().update(next_sync_at=begun)
    return begun


def sync_all(begun: datetime) -> None:
    """Dispatch what is due, as beat does, and wait for the last to succeed."""
    current_app.send_task(tasks.dispatch_due_syncs.name)
    late = everybody().exclude(last_success_at__gte=begun)
    wait_until(lambda: not late.exists(), seconds=300)


def run_floor(works: list, remote: Remote) -> Cost:
    """Time the hand-written client on requests recorded from the adapter."""
    database = groups(os.getpid(), remote)["postgres"]
    task = {
        "port": urlsplit(remote.url).port,
        "dsn": os.environ["DATABASE_URL"],
        "works": works,
    }
    command = [sys.executable, "-m", "tests.bench.floor"]
    meter = Meter({"postgres": database, "bank": [remote.pid]})
    meter.start()
    done = subprocess.run(
        command,
        input=json.dumps(task),
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    cost, said = meter.stop(len(task["works"])), json.loads(done.stdout)
    return Cost(cost.accounts, said["seconds"], cost.cpu | {"worker": said["cpu"]})


def recorded(row: Connection) -> dict[str, list]:
    """Return the bytes the adapter would send for one connection, and its rows."""
    adapter, sent = row.adapter, []

    def record(request: Request) -> Response:
        signed = adapter.sign(request, now(), 0)
        address = urlsplit(adapter.url(signed))
        query = f"?{urlencode(signed.params)}" if signed.params else ""
        head = [f"GET {address.path}{query} HTTP/1.1", f"Host: {address.netloc}"]
        head += [f"{name}: {value}" for name, value in signed.headers.items()]
        sent.append("\r\n".join([*head, "", ""]))
        return remembered(adapter, signed)

    known = [
        Place(a.external_id, a.kind, asset=a.unit)
        for a in row.accounts.all()
        if a.parent_id is None
    ]
    drive(adapter.observe(known), record)  # as a periodic sync asks
    rows = [(str(a.pk), a.balance.total) for a in row.accounts.all()]
    return {"requests": sent, "rows": rows}


def remembered(adapter: providers.Provider, request: Request) -> Response:
    """Ask the bank for real, without its latency counting for anybody."""
    answer = requests.get(
        adapter.url(request), params=request.params, headers=request.headers, timeout=20
    )
    return Response(answer.status_code, answer.headers, answer.content)


def groups(worker: int, remote: Remote) -> dict[str, list[int]]:
    with connection.cursor() as cursor:
        cursor.execute("show data_directory")
        folder = Path(cursor.fetchone()[0])
    postmaster = int((folder / "postmaster.pid").read_text().split()[0])
    return {"worker": [worker], "postgres": [postmaster], "bank": [remote.pid]}


# --- what came of it ---


def title(
    latency: int, pots: int, works: list[dict[str, list]], wish: argparse.Namespace
) -> str:
    """Return what was measured: what an account is, and what it costs to ask."""
    asked = sum(len(work["requests"]) for work in works) / len(works)
    held = sum(len(work["rows"]) for work in works) / len(works)
    return (
        f"{latency} ms provider latency, {wish.changed} % of balances changed\n"
        f"An account is a customer with {pots} pots: {held:g} balances, {asked:g} GETs"
    )


def report(about: str, found: dict[str, list[Cost]]) -> None:
    """Print one table of medians and the ratios that count."""
    best = {
        name: sorted(costs, key=lambda c: c.rate)[len(costs) // 2]
        for name, costs in found.items()
    }
    table = Table(title=about)
    for heading in (
        "design",
        "accounts/s",
        "× naive",
        "of the floor",
        "CPU-s/1,000",
        "worker",
        "PostgreSQL",
        "bank",
    ):
        table.add_column(heading, justify="left" if heading == "design" else "right")
    for name, cost in best.items():
        table.add_row(
            name,
            f"{cost.rate:,.0f}",
            f"{cost.rate / best['naive'].rate:,.1f}",
            f"{cost.rate / best['floor'].rate:.0%}",
            *(
                f"{cost.cpu_per_1000(*g):.2f}"
                for g in (("worker", "postgres"), ("worker",), ("postgres",), ("bank",))
            ),
        )
    CONSOLE.print(table)
