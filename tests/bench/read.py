"""The instant balance, measured: beside a plain view and a generic serializer view.

`python3 manage.py bench read` starts one granian worker, lets 8 clients ask without a
pause, each contender in turn and several times over, and prints medians. Once with the
whole product around every view, and once without any middleware, which is the hardest
comparison: what the product checks then stands beside views that check nothing.
"""

from __future__ import annotations

import argparse
import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median
from urllib.request import urlopen

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.utils.timezone import now
from knox.models import AuthToken
from rich.console import Console
from rich.table import Table

import providers
from accounts import services
from accounts.models import Account, Balance, Connection, Membership, Workspace
from accounts.services import instant
from providers.base import MovesMoney
from tests.bench.meter import Meter, wait_until
from tests.bench.sync import ROOT, answers, running
from tests.fixtures_signing import Pen

CONSOLE = Console(width=118)
HOST = "127.0.0.1"
LATE = 5 / 7.39  # the goal is 5 ms where the serializer view takes 7.39 ms


def main(argv: Sequence[str]) -> None:
    """Measure with the middleware and without, and print both tables."""
    wish = parser().parse_args(argv)
    call_command("migrate", verbosity=0)
    stage = Stage(wish)
    for bare in wish.modes:
        with server(wish.threads, bare) as place:
            CONSOLE.print(report(bare, measured(place, stage.contenders(), wish), wish))


def parser() -> argparse.ArgumentParser:
    wishes = argparse.ArgumentParser(prog="manage.py bench read", description=__doc__)
    wishes.add_argument("--accounts", type=int, default=500)
    wishes.add_argument("--callers", type=int, default=20)
    wishes.add_argument("--clients", type=int, default=8)
    wishes.add_argument("--threads", type=int, default=1, help="of the one worker")
    wishes.add_argument("--seconds", type=float, default=2.0, help="of each turn")
    wishes.add_argument("--rounds", type=int, default=3)
    wishes.add_argument(
        "--modes", type=int, nargs="+", default=[0, 1], help="1: without middleware"
    )
    return wishes


class Stage:
    """Accounts that are kept, and people and keys that may read them."""

    def __init__(self, wish: argparse.Namespace) -> None:
        self.workspace = Workspace.objects.create(name="bench")
        self.accounts = self.open(wish.accounts)
        self.tokens, self.pens = [], []
        for number in range(wish.callers):
            user = get_user_model().objects.create_user(f"reader-{number}")
            Membership.objects.create(workspace=self.workspace, user=user)
            self.tokens.append(AuthToken.objects.create(user)[1])
            key, secret = services.make_signing_key(self.workspace, user, ["read"])
            self.pens.append(Pen(str(key.pk), secret))
        for account in self.accounts:
            instant.glance(account.pk)

    def open(self, count: int) -> list[Account]:
        slugs = providers.slugs()
        slug = next(s for s in slugs if issubclass(providers.load(s), MovesMoney))
        owner = Connection.objects.create(workspace=self.workspace, provider=slug)
        accounts = Account.objects.bulk_create(
            Account(
                workspace=self.workspace,
                connection=owner,
                provider=slug,
                external_id=f"acc_{number}",
                asset="GBP/2",
            )
            for number in range(count)
        )
        moment = now()
        Balance.objects.bulk_create(
            Balance(
                account=account,
                total=100_000 + number,
                available=100_000,
                held=number,
                as_of=moment,
                fetched_at=moment,
            )
            for number, account in enumerate(accounts)
        )
        return accounts

    def contenders(self) -> dict[str, list[str]]:
        """Return what each contender is asked: every account, callers in turn."""
        turns = [(a, n % len(self.tokens)) for n, a in enumerate(self.accounts)]
        paths = {a.pk: f"/api/v1/accounts/{a.pk}/balance/" for a in self.accounts}
        return {
            "Django, constant": [asked(f"/constant/{a.pk}") for a, _ in turns],
            "plain view": [asked(f"/plain/{a.pk}") for a, _ in turns],
            "ModelSerializer view": [asked(f"/generic/{a.pk}") for a, _ in turns],
            "balance, token": [
                asked(paths[a.pk], Authorization=f"Token {self.tokens[n]}")
                for a, n in turns
            ],
            "balance, signed": [
                asked(
                    paths[a.pk],
                    **self.pens[n].headers("GET", f"http://{HOST}{paths[a.pk]}"),
                )
                for a, n in turns
            ],
        }


def asked(path: str, **headers: str) -> str:
    """Return the text of a request."""
    lines = [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([f"GET {path} HTTP/1.1", f"Host: {HOST}", *lines, "", ""])


@dataclass
class Place:
    """A server that answers."""

    port: int
    pid: int

    def statements(self) -> int:
        with urlopen(f"http://{HOST}:{self.port}/statements") as answer:
            return int(answer.read())


@contextmanager
def server(threads: int, bare: int, **more: str) -> Iterator[Place]:
    """Run one worker until the block ends; `more` is what else it finds in its environment."""
    with socket.create_server((HOST, 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tests.bench.read_server", str(port), str(threads)]
    about = {"LOG_LEVEL": "INFO", "BALSYNC_LOG_FORMAT": "json"} | more
    with running(command, **about, BENCH_BARE="1" if bare else "") as pid:
        wait_until(lambda: answers(port), seconds=30)
        yield Place(port, pid)


@dataclass
class Turns:
    """What one contender did, turn by turn."""

    rate: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)  # µs of the server, per request
    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    statements: int = 0
    requests: int = 0


def measured(
    place: Place, contenders: dict[str, list[str]], wish: argparse.Namespace
) -> dict[str, Turns]:
    """Let the contenders take turns, after each has been asked once."""
    found = {name: Turns() for name in contenders}
    for requests in contenders.values():
        turn(place, requests, wish, Turns(), 0.5)
    for _ in range(wish.rounds):
        for name, requests in contenders.items():
            turn(place, requests, wish, found[name], wish.seconds)
    return found


def turn(
    place: Place,
    requests: list[str],
    wish: argparse.Namespace,
    turns: Turns,
    seconds: float,
) -> None:
    before, meter = place.statements(), Meter({"server": [place.pid]})
    meter.start()
    told = told_by(place, requests, wish.clients, seconds)
    cost = meter.stop(told["count"])
    turns.rate.append(told["count"] / told["seconds"])
    turns.cpu.append(cost.cpu_per_1000("server") * 1000)
    turns.p50.append(told["p50"])
    turns.p99.append(told["p99"])
    turns.statements += place.statements() - before
    turns.requests += told["count"]


def told_by(
    place: Place, requests: list[str], clients: int, seconds: float
) -> dict[str, float]:
    """Let so many clients ask, and return what `load` tells of it; ends where one fails."""
    task = {"port": place.port, "clients": clients, "seconds": seconds}
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.load"],
        input=json.dumps(task | {"requests": requests}),
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"A request was not answered:\n{done.stderr[-3000:]}")
    return json.loads(done.stdout)


def report(bare: int, found: dict[str, Turns], wish: argparse.Namespace) -> Table:
    """Return one table of medians and the ratios that count."""
    around = "no middleware" if bare else "the product's middleware"
    table = Table(
        title=f"{wish.clients} clients, one worker with {wish.threads} threads, {around}"
    )
    table.add_column("view")
    for heading in ("requests/s", "of plain", "× serializer", "CPU µs"):
        table.add_column(heading, justify="right")
    for heading in ("CPU of plain", "p50 ms", "p99 ms", "SQL per request"):
        table.add_column(heading, justify="right")
    plain, usual = found["plain view"], found["ModelSerializer view"]
    for name, turns in found.items():
        table.add_row(
            name,
            f"{median(turns.rate):,.0f}",
            f"{paired(turns, plain, 'rate', lambda a, b: a / b):.2f}",
            f"{paired(turns, usual, 'rate', lambda a, b: a / b):.2f}",
            f"{median(turns.cpu):,.0f}",
            f"{paired(turns, plain, 'cpu', lambda a, b: b / a):.2f}",
            f"{median(turns.p50):.2f}",
            f"{median(turns.p99):.2f}",
            f"{turns.statements / turns.requests:.4f}",
        )
    signed, token = found["balance, signed"], found["balance, token"]
    costs = paired(signed, token, "rate", lambda a, b: 1 - a / b)
    late = paired(token, usual, "p99", lambda a, b: a / b)
    table.caption = (
        f"A signature costs {costs:.1%} of the requests; 99 % of the balances come within "
        f"{late:.2f} of the serializer view's time (goal: {LATE:.2f})"
    )
    return table


def paired(
    one: Turns, other: Turns, what: str, ratio: Callable[[float, float], float]
) -> float:
    """Return the median of a ratio taken within each round."""
    pairs = zip(getattr(one, what), getattr(other, what), strict=True)
    return median(ratio(a, b) for a, b in pairs)
