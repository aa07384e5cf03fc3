from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import CommandError
from rich.console import Console

from accounts import services, tasks
from accounts.management.base import Command as Base
from accounts.management.base import find_connection, line, told
from accounts.management.showing import followed, is_terminal, table, troubles
from accounts.models import Connection, SyncRun
from accounts.publishing import publish


class Command(Base):
    help = "Reads balances, orders, trades and positions of all connections, or of one."
    kind = SyncRun.Kind.MANUAL

    def add_arguments(self, parser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--connection", metavar="ID")
        parser.add_argument(
            "--wait", action="store_true", help="sync here and now, and say what came"
        )

    def handle(self, **options: Any) -> None:
        wanted = self.wanted(options["connection"])
        if options["wait"]:
            stderr = options.get("stderr") or sys.stderr
            with followed(stderr, wanted=not options["json"]) as tell:
                runs = services.sync_now(wanted, self.kind, seconds=30, tell=tell)
        else:
            runs = [self.request(connection) for connection in wanted]
        if is_terminal(self.stdout) and not options["json"]:
            console = Console(file=self.stdout)
            console.print(table(runs), *troubles(runs), sep="\n", highlight=False)
        else:
            answer = {"runs": [told(run) for run in runs]}
            self.tell(answer, map(line, runs), **options)
        if any(run.status == SyncRun.Status.FAILED for run in runs):
            raise CommandError("Not every connection could be read", returncode=1)

    def wanted(self, connection: str | None) -> list[Connection]:
        """Return the connections to be synced."""
        if connection:
            return [find_connection(connection)]
        return list(Connection.objects.in_use())

    def request(self, connection: Connection) -> SyncRun:
        """Ask a worker to sync `connection`."""
        run = services.request_sync(connection, self.kind)
        publish(tasks.run_sync, str(run.pk))
        return run
