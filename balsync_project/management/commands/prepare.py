from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from balsync_project import demo, first_start, heartbeats, schema


class Command(BaseCommand):
    help = "Migrates, and makes what a first start needs (demo and serve call it)."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("kind", choices=["demo", "serve"])
        parser.add_argument(
            "--login-file", type=Path, help="keeps the login; printed where not given"
        )
        parser.add_argument("--url", required=True)

    def handle(self, *_: Any, **options: Any) -> None:
        """Bring the database up to date, then let the first person in."""
        schema.bring_up_to_date()
        heartbeats.clear()
        prepare = {"demo": demo.seed, "serve": first_start.make_administrator}
        login = prepare[options["kind"]](options["login_file"], options["url"])
        if login and not options["login_file"]:
            self.stdout.write(json.dumps(login, indent=2))
