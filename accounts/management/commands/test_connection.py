from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.core.management.base import CommandError

from accounts import services
from accounts.management.base import Command as Base
from accounts.management.base import find_connection


class Command(Base):
    help = "Tries the credentials of a connection and says what they may do."

    def add_arguments(self, parser) -> None:
        super().add_arguments(parser)
        parser.add_argument("connection", metavar="ID")

    def handle(self, *, connection: str, **options: Any) -> None:
        found = services.test_connection(find_connection(connection))
        lines = [f"{found.accounts} accounts; may: {', '.join(found.may)}"]
        lines += found.notes
        self.tell(asdict(found), lines if found.ok else [], **options)
        for text in found.warnings:
            loud = "WARNING: " if found.may_withdraw else "warning: "
            self.stderr.write(self.style.ERROR(loud + text))
        if not found.ok:
            raise CommandError(f"{found.error_code}: {found.error}")
