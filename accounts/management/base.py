"""What the commands share: JSON for scripts, plain lines for people."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from accounts import services
from accounts.models import Connection, SyncRun
from accounts.trading.progress import Progress


class Command(BaseCommand):
    """A command that needs no screen."""

    def add_arguments(self, parser) -> None:
        parser.add_argument("--json", action="store_true", help="print JSON only")

    def tell(self, answer: Any, lines: Iterable[str], **options: Any) -> None:
        """Print `answer` as JSON if asked for, else `lines`."""
        if options["json"]:
            self.stdout.write(json.dumps(answer))
        else:
            self.stdout.writelines(f"{line}\n" for line in lines)


def find_connection(text: str) -> Connection:
    """Return the connection in use with that id; raises CommandError."""
    try:
        return Connection.objects.in_use().get(pk=UUID(text))
    except (ValueError, Connection.DoesNotExist) as error:
        raise CommandError(f"There is no connection {text}") from error


def told(run: SyncRun) -> dict[str, Any]:
    """Return a sync run as the commands print it."""
    return {
        "id": str(run.pk),
        "connection": str(run.connection_id),
        "kind": run.kind,
        "status": run.status,
        "requests": run.requests,
        "error_code": run.error_code,
        "error": run.error,
        "accounts": run.results,
        "trading": run.progress and services.progress_told(Progress.read(run.progress)),
    }


def line(run: SyncRun) -> str:
    """Return a sync run as one line for people."""
    seen = f"{len(run.results)} accounts, {run.requests} requests"
    if run.progress is not None:
        seen += f"; {Progress.read(run.progress).text}"
    return f"{run.connection_id} {run.status}: {run.error or seen}"
