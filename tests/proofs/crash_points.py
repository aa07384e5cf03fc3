"""Every step boundary of a run, every fault, before and after: the bank's books judge.

`python3 manage.py prove crash_points` takes real worker processes on a real PostgreSQL,
strikes each at one point, lets the sweeper recover, and compares with the ledger of the
sandbox bank. It exits 1 unless every point was hit and every leg was moved once.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from django.conf import settings
from django.core.management import call_command
from rich.console import Console
from rich.table import Table

from accounts.models import Workspace
from providers.sandbox.server import serve
from tests.crash.points import FAULTS, NOT_HIT, PHASES, Ground, Point
from tests.crash.scenes import BESIDE, KINDS
from tests.crash.workers import Workers
from tests.fixtures_bank import BANK

CONSOLE = Console()
WORLDS = [*KINDS, *BESIDE]


@dataclass
class Report:
    """How many points there were, and what was not as promised."""

    points: int = 0
    hit: int = 0
    wrong: dict[Point, list[str]] = field(default_factory=dict)


def main(argv: Sequence[str]) -> int:
    """Strike every point that was asked for, and return 0 if nothing came of it."""
    wish = parser().parse_args(argv)
    begun, reports = time.monotonic(), {}
    call_command("migrate", verbosity=0)
    with ground() as place:
        for kind in wish.kinds:
            for phase in wish.phases:
                for fault in wish.faults:
                    points = list(place.points(kind, phase, fault))[:: wish.every]
                    reports[kind, phase, fault] = play(place, points)
                    CONSOLE.log(f"{kind}, {phase}, {fault}: {len(points)} points done")
    show(reports, time.monotonic() - begun)
    return int(any(r.wrong or r.hit != r.points for r in reports.values()))


def parser() -> argparse.ArgumentParser:
    wishes = argparse.ArgumentParser(
        prog="manage.py prove crash_points", description=__doc__
    )
    wishes.add_argument("--kinds", nargs="+", choices=WORLDS, default=WORLDS)
    wishes.add_argument("--faults", nargs="+", choices=FAULTS, default=list(FAULTS))
    wishes.add_argument("--phases", nargs="+", choices=PHASES, default=list(PHASES))
    wishes.add_argument("--every", type=int, default=1, help="of so many points one")
    return wishes


@contextmanager
def ground() -> Iterator[Ground]:
    """Open a bank in this process, and start what forks the workers."""
    with serve(BANK) as sandbox:
        settings.PROVIDER_URLS = sandbox.urls()
        environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "balsync_project.test_settings",
            "BALSYNC_PROVIDER_URLS": json.dumps(sandbox.urls()),
            "LOG_LEVEL": "CRITICAL",
        }
        workers = Workers(environment)
        try:
            workspace = Workspace.objects.create(name="crash points")
            yield Ground(sandbox[BANK], workspace, workers)
        finally:
            workers.close()


def play(place: Ground, points: Sequence[Point]) -> Report:
    report = Report(points=len(points))
    for point in points:
        said = place.strike(point)
        if any(text.startswith(NOT_HIT) for text in said):
            report.wrong[point] = said
            continue
        report.hit += 1
        if said:
            report.wrong[point] = said
    for point, said in report.wrong.items():
        CONSOLE.print(f"[red]{point}[/]: {'; '.join(said)}", soft_wrap=True)
    return report


def show(reports: dict[tuple[str, str, str], Report], seconds: float) -> None:
    """Print how many points there were, were hit, and what came of them."""
    table = Table("rule", "phase", "fault", title="Crash points")
    for name in ("points", "hit", "violations"):
        table.add_column(name, justify="right")
    for key, report in reports.items():
        figures = report.points, report.hit, len(report.wrong)
        table.add_row(*key, *map(str, figures))
    CONSOLE.print(table)
    points = sum(r.points for r in reports.values())
    hit = sum(r.hit for r in reports.values())
    wrong = sum(len(r.wrong) for r in reports.values())
    CONSOLE.print(f"{points} points, {hit} hit, {wrong} violations, in {seconds:.0f} s")
