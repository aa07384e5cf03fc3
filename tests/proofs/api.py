"""The API does what its own description says: `manage.py prove api --examples 300`.

schemathesis makes up requests for every operation, right and wrong ones; the real
application answers them on the real PostgreSQL. No answer may be of 500, of a status that
is not described, or of a shape that is not.
"""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Sequence

from django.conf import settings
from django.core.management import call_command
from django.db import transaction
from limits import parse

from accounts.api.throttling import AddressRate, CallerRate, LoginRate
from providers.sandbox.server import serve
from tests.described.storm import Report, Storm
from tests.fixtures_api import build_world
from tests.fixtures_bank import BANK

ENOUGH = parse("1000000000/minute")


def main(argv: Sequence[str]) -> int:
    """Ask, print what came back, and return 1 if anything was not as described."""
    wishes = argparse.ArgumentParser(prog="manage.py prove api", description=__doc__)
    wishes.add_argument("--examples", type=int, default=300, help="for each operation")
    wishes.add_argument("--seed", type=int, default=1)
    wishes.add_argument("--only", default="", help="a pattern, such as GET.*rules")
    wish = wishes.parse_args(argv)
    call_command("migrate", verbosity=0)
    logging.disable()
    for throttle in (AddressRate, CallerRate, LoginRate):
        throttle.limit = ENOUGH
    begun = time.monotonic()
    with serve(BANK) as sandbox, transaction.atomic():
        settings.PROVIDER_URLS = sandbox.urls()
        storm = Storm(build_world())
        report = storm.blow(wish.examples, seeded=wish.seed, only=wish.only)
        transaction.set_rollback(True)
    show(report, time.monotonic() - begun)
    return int(bool(report.broken))


def show(report: Report, seconds: float) -> None:
    """Print what was broken, how to ask for it again, and how much was asked."""
    for (operation, kind), told in report.broken.items():
        print(f"\n{operation}: {kind}\n{told}")
    never = sorted(set(report.operations) - report.well)
    print(f"\nnever carried out: {', '.join(never) or 'none'}")
    print(f"{len(report.operations)} operations, {report.requests:,} requests", end="")
    print(f" in {seconds:.0f} s, {len(report.broken)} not as described")
    for status, count in sorted(report.statuses.items()):
        print(f"  {count:>9,}  answers of {status}")
