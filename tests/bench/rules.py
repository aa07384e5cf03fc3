"""Rules, measured: plans a second in the pure planner, and what a run costs by itself.

`python3 manage.py bench rules` plans rules that differ, each for the first time and once
more (a worker knows the 16,384 rules that it planned last), on one core; then it carries out
runs against the sandbox bank and counts statements, wall and CPU time of what is ours:
without the reading of the bank and its transfers. The naive counterpart does the same moves
the way they are usually written: every row by itself, read, changed and saved.

Runs that are due together are carried out side by side, as a worker does with those that
one message names: a run then costs its share. The goal is 5 ms of it.

Machines differ, so plans and runs are also told in rows that Django's `create()` writes, one
in a transaction: measured in between. On the machine of the goals a row takes 0.345 ms.
"""

from __future__ import annotations

import argparse
import gc
import tempfile
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from statistics import median
from typing import Any
from uuid import UUID, uuid4

from django.core.management import call_command
from django.db import close_old_connections, connection, transaction
from django.utils.timezone import now
from rich.console import Console
from rich.table import Table

from accounts import services as accounts
from accounts.models import Account, Balance, Connection, Workspace
from automation import services, tasks
from automation.models import Rule, RuleRun, Transfer
from automation.rules import Holding, Leg, RuleSpec, plan
from automation.services import asking, funds, planning, sending, together
from automation.services.routes import place
from balsync_project.celery import app
from balsync_project.garbage import IN_BULK, collect_rarely
from tests.bench import storage
from tests.bench.sync import bank

NOON = datetime(2026, 1, 25, 12, tzinfo=UTC)
ASSET = "GBP/2"
POTS = 5
EACH = 10  # runs between which rows are created
ROWS = 50  # created at a time: the first of them take longer than the rest of a loop
BLOCKS = 20  # of plans, between which rows are created
ROW = 0.345  # milliseconds that a create() takes on the machine of the goals
GOAL = 5 / ROW  # rows that a run may take as long as
PLANS = 10_000  # a second
ABREAST = (1, 2, 5, 10, 20)  # runs of as many customers, due together
LEAST = 10  # times that they are measured
CONSOLE = Console(width=118)
# A worker has the tasks themselves by these names.
ALONE, TOGETHER = tasks.execute_run.name, tasks.execute_runs.name


def main(argv: Sequence[str]) -> None:
    """Measure the planner, then the runs, and print both tables."""
    wish = parser().parse_args(argv)
    collect_rarely(IN_BULK)  # as in every worker
    call_command("migrate", verbosity=0)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, bank(folder) as remote:
        for table in tables(remote, wish):
            CONSOLE.print(table)


def parser() -> argparse.ArgumentParser:
    wishes = argparse.ArgumentParser(prog="manage.py bench rules", description=__doc__)
    wishes.add_argument("--rules", type=int, default=4_000, help="planned of each kind")
    wishes.add_argument(
        "--runs", type=int, default=100, help="carried out of each kind"
    )
    return wishes


def tables(remote: Any, wish: argparse.Namespace) -> Iterator[Table]:
    """Yield what is found of the planner, of runs, and of runs that are due together."""
    owners = storage.people(10)
    with storage.tutorial():
        yield planner_table(wish.rules, owners)
    yield runs_table(remote, wish.runs, owners)
    yield together_table(remote, wish.runs, owners)


# --- the planner ---


def holding(name: str, available: int, inside: str | None = "main") -> Holding:
    return Holding(
        account=name,
        name=name,
        asset=ASSET,
        available=available,
        age_seconds=1,
        as_of=NOON,
        kind="pot" if inside else "current",
        inside=inside,
        goal=50_000 if inside else None,
    )


def spec(kind: str, number: int, *legs: Leg) -> RuleSpec:
    return RuleSpec(f"rule-{number}", f"Rule {number}", kind, ASSET, legs)


def topup(number: int) -> RuleSpec:
    to = Leg("pot0", "target", strategy="to_target", target=30_000 + number)
    return spec("topup", number, Leg("main", "source"), to)


def sweep(number: int) -> RuleSpec:
    kept = Leg("main", "source", strategy="above", keep=10_000 + number)
    share = Leg("pot1", "source", 1, strategy="share", share=Decimal("0.25"))
    return spec("sweep", number, kept, share, Leg("pot0", "target"))


def autosort(number: int) -> RuleSpec:
    return spec(
        "autosort",
        number,
        Leg("main", "source", keep=1_000 + number),
        Leg("pot0", "priority", 1, strategy="fixed", amount=15_000),
        Leg("pot1", "goal", 2, strategy="to_target", target=200_000),
        Leg("pot2", "investment", 3, strategy="share", share=Decimal("0.5")),
        Leg("pot3", "investment", 4, strategy="share", share=Decimal("0.25")),
        Leg("pot4", "investment", 5, strategy="equal"),
    )


KINDS: dict[str, Callable[[int], RuleSpec]] = {
    "topup, 2 accounts": topup,
    "sweep, 3 accounts": sweep,
    "autosort, 6 accounts": autosort,
    "one of each in turn": lambda number: MIXED[number % len(MIXED)](number),
}
MIXED = (topup, sweep, autosort)


def planner_table(count: int, owners: Sequence[UUID]) -> Table:
    table = Table(
        title=f"Pure planner, {count:,} different rules, one core",
        caption=f"Goal: {PLANS:,} a second, or {PLANS * ROW / 1e3:.1f} in that time",
    )
    table.add_column("rule")
    for heading in ("moves", "plans/s, new rules", "in the time of a create()"):
        table.add_column(heading, justify="right")
    for heading in ("plans/s, known rules", "in the time of a create()"):
        table.add_column(heading, justify="right")
    for name, make in KINDS.items():
        specs = [make(number) for number in range(count)]
        held = [balances(number) for number in range(count)]
        moves = len(plan(specs[0], held[0], now=NOON).moves)
        specs = [make(number) for number in range(count)]  # nothing remembered
        first, again = paced(specs, held, owners), paced(specs, held, owners)
        told = [
            t for r, beside in (first, again) for t in (f"{r:,.0f}", f"{beside:.1f}")
        ]
        table.add_row(name, str(moves), *told)
    return table


def balances(number: int) -> dict[str, Holding]:
    main = holding("main", 250_000 + number, inside=None)
    pots = [holding(f"pot{i}", 1_000 * i) for i in range(POTS)]
    return {held.account: held for held in (main, *pots)}


def paced(
    specs: list[RuleSpec], held: list[dict[str, Holding]], owners: Sequence[UUID]
) -> tuple[float, float]:
    """Return how many plans are made in a second, and while a row is created in between.

    Of each it is the median: a machine is not as fast in every second.
    """
    gc.collect()
    size = -(-len(specs) // BLOCKS)
    blocks = zip(
        accounts.batches(specs, size), accounts.batches(held, size), strict=True
    )
    found = [(rate(*block), yardstick(owners, ROWS) / 1e3) for block in blocks]
    return median(r for r, _ in found), median(r * row for r, row in found)


def rate(specs: Sequence[RuleSpec], held: Sequence[dict[str, Holding]]) -> float:
    """Return how many plans a second of CPU this process makes."""
    begun = time.process_time()
    for rule, holdings in zip(specs, held, strict=True):
        plan(rule, holdings, now=NOON)
    return len(specs) / (time.process_time() - begun)


# --- runs ---


@dataclass
class Cost:
    """What runs cost beside the bank: milliseconds each, statements of the last.

    `row` is what a row took that was created in between.
    """

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    row: list[float] = field(default_factory=list)
    statements: int = 0
    transfers: int = 0


class Apart:
    """Adds up the time, and the statements, of what is not ours: the bank's part."""

    def __init__(self) -> None:
        self.wall = self.cpu = 0.0
        self.statements = 0
        self.inside = False

    def wrap(self, work: Callable) -> Callable:
        def timed(*args: Any, **more: Any) -> Any:
            if more.get("also"):
                more["also"] = self.ours(more["also"])
            with self.within():
                found = work(*args, **more)
            return self.each(found) if isinstance(found, Generator) else found

        return timed

    def each(self, answers: Generator) -> Iterator:
        """Yield `answers`: to wait for the next is the bank's part, not what is made of it."""
        with closing(answers):
            while True:
                with self.within():
                    try:
                        answer = next(answers)
                    except StopIteration:
                        return
                yield answer

    @contextmanager
    def within(self) -> Iterator[None]:
        wall, cpu, self.inside = time.perf_counter(), time.thread_time(), True
        try:
            yield
        finally:
            self.wall += time.perf_counter() - wall
            self.cpu += time.thread_time() - cpu
            self.inside = False

    def ours(self, work: Callable) -> Callable:
        """Return `work`, which is ours though it is done within the bank's part."""

        def timed() -> Any:
            wall, cpu, self.inside = time.perf_counter(), time.thread_time(), False
            try:
                return work()
            finally:
                self.wall -= time.perf_counter() - wall
                self.cpu -= time.thread_time() - cpu
                self.inside = True

        return timed

    def count(self, execute: Callable, sql: str, params: Any, many: bool, context: Any):
        if not self.inside:
            self.statements += 1
        return execute(sql, params, many, context)


@contextmanager
def apart(*places: tuple[Any, str]) -> Iterator[Apart]:
    """Time the functions in `places`, wherever they are called, as the bank's part."""
    timer = Apart()
    were = [(module, name, getattr(module, name)) for module, name in places]
    for module, name, work in were:
        setattr(module, name, timer.wrap(work))
    try:
        with connection.execute_wrapper(timer.count):
            yield timer
    finally:
        for module, name, work in were:
            setattr(module, name, work)


BANK = [(planning, "sync"), (funds, "sync"), (sending, "call"), (asking, "call")]
BANK += [(together, "sync_each"), (together, "call_each")]


def measured(work: Callable[[], None], places: Iterable[tuple[Any, str]], cost: Cost):
    """Do `work` once and note what it took without its calls to `places`."""
    with apart(*places) as bank_part:
        wall, cpu = time.perf_counter(), time.thread_time()
        work()
        cost.wall.append((time.perf_counter() - wall - bank_part.wall) * 1000)
        cost.cpu.append((time.thread_time() - cpu - bank_part.cpu) * 1000)
    cost.statements = bank_part.statements


def runs_table(remote: Any, count: int, owners: Sequence[UUID]) -> Table:
    table = Table(title=f"One run, {count} of each, beside the bank's calls")
    table.add_column("rule")
    headings = ("transfers", "statements", "wall ms", "least", "× create()")
    more = ("CPU ms", "least", "naive: statements", "CPU ms", "least")
    for heading in (*headings, *more):
        table.add_column(heading, justify="right")
    rows, rules = list[float](), installed(remote)
    for name, rule in rules.items():
        ours, naive = product(rule, count, owners), usual(rule, count)
        rows.append(row := median(ours.row))
        table.add_row(
            name,
            str(ours.transfers),
            str(ours.statements),
            f"{median(ours.wall):.1f}",
            f"{min(ours.wall):.1f}",
            f"{median(ours.wall) / row:.1f}",
            f"{median(ours.cpu):.1f}",
            f"{min(ours.cpu):.1f}",
            str(naive.statements),
            f"{median(naive.cpu):.1f}",
            f"{min(naive.cpu):.1f}",
        )
    few = max(count // 4, 1)
    fresh = median(product(rules["topup"], few, owners, "fresh", anew).wall)
    table.caption = (
        f"A create() takes {min(rows):.2f} to {max(rows):.2f} ms here; a run with one "
        f"transfer may take as long as {GOAL:.1f}. On a connection of its own it takes "
        f"{fresh:.1f} ms"
    )
    return table


def yardstick(owners: Sequence[UUID], count: int) -> float:
    """Return the milliseconds that Django takes to create a row in a transaction."""
    begun = time.perf_counter()
    storage.create_all(owners, now(), count, 1)
    return (time.perf_counter() - begun) / count * 1000


def installed(remote: Any) -> dict[str, Rule]:
    """Return rules that move a penny a leg, each of a customer of its own."""
    return {
        "topup": topped_up(*customer(remote, "topup")),
        "sweep between two pots": swept(*customer(remote, "sweep")),
        f"autosort into {POTS} pots": sorted_out(*customer(remote, "autosort")),
    }


def customer(remote: Any, name: str) -> tuple[Account, list[Account]]:
    """Return the account and the pots of somebody who is new at the bank."""
    (opened,) = remote.add_customers([name], pots=POTS)
    workspace = Workspace.objects.create(name=name)
    known = accounts.connect(workspace, remote.slug, dict(opened.credentials))
    accounts.sync([known], "start_up")
    main = Account.objects.get(connection=known, parent=None)
    return main, list(main.pots.order_by("external_id"))


PENNY = {"strategy": "fixed", "amount": {"asset": ASSET, "minor": "1"}}


def topped_up(main: Account, pots: Sequence[Account]) -> Rule:
    return written("topup", (main, "source", {}), (pots[0], "target", PENNY))


def swept(main: Account, pots: Sequence[Account]) -> Rule:
    return written("sweep", (pots[0], "source", PENNY), (pots[1], "target", {}))


def sorted_out(main: Account, pots: Sequence[Account]) -> Rule:
    paid = [(pot, "priority", PENNY) for pot in pots]
    return written("autosort", (main, "source", {}), *paid)


def written(kind: str, *legs: tuple[Account, str, dict[str, Any]]) -> Rule:
    told = [
        {"account": str(account.pk), "role": role, "order": order, **more}
        for order, (account, role, more) in enumerate(legs)
    ]
    data = {"name": kind, "kind": kind, "legs": told}
    if kind == "autosort":
        data["rest"] = "keep"
    return services.write_rule(legs[0][0].workspace, data)


def product(
    rule: Rule,
    count: int,
    owners: Sequence[UUID],
    key: str = "bench",
    work: Callable[[Sequence[str]], None] | None = None,
) -> Cost:
    """Carry out runs as a worker does: a message in, rows and messages out."""
    cost, work = Cost(), work or carry_out
    with storage.tutorial():
        for number in range(count + 3):
            run, _ = services.start_run(rule, f"{key}:{number}", trigger_kind="manual")
            measured(lambda pk=run.pk: work([str(pk)]), BANK, cost)
            if number % EACH == 0:  # a machine is not as fast in every second
                cost.row.append(yardstick(owners, ROWS))
    warmed(cost)
    run.refresh_from_db()
    assert run.status == "succeeded", run.reason
    cost.transfers = run.transfers.count()
    return cost


def together_table(remote: Any, count: int, owners: Sequence[UUID]) -> Table:
    """Return what a run costs beside others that are due with it: its share."""
    table = Table(title="A run beside others that are due with it, one transfer each")
    table.add_column("runs together", justify="right")
    headings = ("statements a run", "wall ms a run", "least", "× create()", "CPU ms")
    for heading in headings:
        table.add_column(heading, justify="right")
    people = [customer(remote, f"beside {number}") for number in range(max(ABREAST))]
    rules = [topped_up(*person) for person in people]
    for number in ABREAST:
        cost = side_by_side(rules[:number], max(count // number, LEAST), owners)
        table.add_row(
            str(number),
            f"{cost.statements / number:.1f}",
            f"{median(cost.wall) / number:.1f}",
            f"{min(cost.wall) / number:.1f}",
            f"{median(cost.wall) / number / median(cost.row):.1f}",
            f"{median(cost.cpu) / number:.1f}",
        )
    return table


def side_by_side(rules: Sequence[Rule], times: int, owners: Sequence[UUID]) -> Cost:
    """Carry out a run of each of `rules` as a worker does that one message names."""
    cost = Cost()
    with storage.tutorial():
        for turn in range(times + 3):
            ids = due(rules, f"{len(rules)} together: {turn}")
            measured(lambda ids=ids: carry_out(ids), BANK, cost)
            if turn % max(EACH // len(rules), 1) == 0:
                cost.row.append(yardstick(owners, ROWS))
    warmed(cost)
    ends = set(RuleRun.objects.filter(pk__in=ids).values_list("status", flat=True))
    assert ends == {RuleRun.Status.SUCCEEDED}, ends
    return cost


def due(rules: Sequence[Rule], key: str) -> list[str]:
    """Return the ids of runs that are due, written at once as the dispatcher does."""
    about: dict[str, Any] = {"key": key, "trigger_kind": "manual"}
    runs = [RuleRun(rule=rule, scheduled_for=now(), **about) for rule in rules]
    return [str(run.pk) for run in RuleRun.objects.bulk_create(runs)]


def carry_out(ids: Sequence[str]) -> None:
    """Do as a worker what a message of `tasks.queue_runs` says."""
    close_old_connections()
    if len(ids) > 1:
        app.tasks[TOGETHER](ids)
    else:
        app.tasks[ALONE](*ids)


def anew(ids: Sequence[str]) -> None:
    """Do so on a connection of its own, as each of Celery's tasks does by default."""
    connection.close()
    carry_out(ids)


def warmed(cost: Cost) -> None:
    """Forget the first three: they pay for connections and caches."""
    del cost.wall[:3], cost.cpu[:3]


# --- the naive counterpart ---


def usual(rule: Rule, count: int) -> Cost:
    """Move the same money the usual way: live read, move, save, one row at a time."""
    cost = Cost()
    for number in range(count + 3):
        work = naive_run(rule, number)
        measured(work, [(planning, "sync"), (NAIVE, "move")], cost)
    warmed(cost)
    return cost


class Naive:
    """The bank as the naive design calls it."""

    def move(self, owner: Connection, source: Account, target: Account, name: str):
        return accounts.call(
            owner,
            lambda bank: bank.transfer(place(source), place(target), 1, dedupe_id=name),
        )


NAIVE = Naive()


def naive_run(rule: Rule, number: int) -> Callable[[], None]:
    """Return one run as an ORM tutorial would write it."""

    def work() -> None:
        mine = Rule.objects.get(pk=rule.pk)
        run = RuleRun.objects.create(
            rule=mine,
            key=f"naive:{number}",
            trigger_kind="manual",
            scheduled_for=now(),
        )
        owner = mine.legs.first().account.connection
        planning.sync([owner], "pre_automation")
        legs = [leg for leg in mine.legs.all() if leg.amount]
        other = next(leg for leg in mine.legs.all() if not leg.amount)
        for place_, leg in enumerate(legs):
            ends = (leg.account, other.account)
            source, target = ends if leg.role == "source" else ends[::-1]
            for step, (a, b) in enumerate(services.route(source, target)):
                naive_leg(run, owner, a, b, (place_, step))
        run.status, run.finished_at = RuleRun.Status.SUCCEEDED, now()
        run.save()
        mine.last_success_at = run.finished_at
        mine.save()

    return work


def naive_leg(
    run: RuleRun,
    owner: Connection,
    source: Account,
    target: Account,
    numbers: tuple[int, int],
) -> None:
    """Send one transfer and save everything it touches."""
    balance = Balance.objects.get(account=source)
    assert balance.available >= 1
    row = Transfer.objects.create(
        id=uuid4(),
        run=run,
        move=numbers[0],
        step=numbers[1],
        source=source,
        target=target,
        amount=1,
        asset=source.asset,
        status=Transfer.Status.SENDING,
    )
    NAIVE.move(owner, source, target, str(row.pk))
    with transaction.atomic():
        row.status, row.settled_at = Transfer.Status.DONE, now()
        row.save()
        for account, by in ((source, -1), (target, 1)):
            held = Balance.objects.select_for_update().get(account=account)
            held.total, held.available = held.total + by, held.available + by
            held.save()
