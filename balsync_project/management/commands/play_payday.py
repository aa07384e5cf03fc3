from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console

from balsync_project import demo
from balsync_project.demo import table

WIDEST = 160


class Command(BaseCommand):
    help = "Plays one payday in the running demo, and checks it against the bank."
    requires_system_checks: list[str] = []

    def handle(self, *_: Any, **__: Any) -> None:
        """Play, show what moved and why, and fail if anything is wrong."""
        console = Console(width=None if sys.stdout.isatty() else WIDEST)
        try:
            day = demo.play_payday(lambda line: console.print(f"· {line}"))
        except demo.PaydayWrong as error:
            raise CommandError(str(error)) from error
        table.show(day, console)
        if day.wrong:
            raise CommandError("\n".join(["This is wrong:", *day.wrong]))
        console.print(f"All {len(day.transfers())} transfers were made exactly once.")
