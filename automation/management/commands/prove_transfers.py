from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.table import Table

from accounts.models import Connection
from automation.services import proving
from providers.money import Asset


class Command(BaseCommand):
    help = "Compare the transfers of the last days with the banks' own entries."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--days", type=int, default=proving.DAYS)

    def handle(self, *args: Any, **options: Any) -> None:
        """Print what was proved; fails where something differs or cannot be read."""
        if not 1 <= options["days"] <= 366:
            raise CommandError("--days is from 1 to 366")
        rows = Connection.objects.filter(pk__in=proving.to_prove())
        reports = [
            report
            for connection in rows.order_by("provider", "label", "pk")
            for report in proving.prove_connection(connection, days=options["days"])
        ]
        Console(file=self.stdout, width=100).print(table(reports))
        for report in reports:
            for line in differences(report):
                self.stdout.write(line)
        wrong = sum(bool(r.error or r.proof.findings) for r in reports)
        if wrong:
            raise CommandError(f"{wrong} of {len(reports)} accounts are not proved")


def table(reports: list[proving.Report]) -> Table:
    found = Table(title="Transfers and the banks' entries")
    for heading in ("account", "since", "transfers", "proved", "differences", "why"):
        found.add_column(heading)
    for report in reports:
        found.add_row(
            f"{report.account}",
            f"{report.since:%Y-%m-%d}" if report.since else "",
            str(report.transfers),
            str(len(report.proof.proved)),
            str(len(report.proof.findings)),
            report.error,
        )
    return found


def differences(report: proving.Report):
    unit = Asset.parse(report.account.asset)
    for finding in report.proof.findings:
        expected, actual = unit.major(finding.expected), unit.major(finding.actual)
        yield (
            f"{finding.name} {finding.subject} in {report.account}: "
            f"recorded {expected}, the bank says {actual} {unit.code}"
        )
