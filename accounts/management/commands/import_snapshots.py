from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO
from uuid import UUID

from django.core.management.base import CommandError

from accounts.history.files import FORMS
from accounts.management.base import Command as Base
from accounts.models import Account, Source
from accounts.services import importing


class Command(Base):
    help = "Adds the past balances of an exported file to an account: all or nothing."

    def add_arguments(self, parser) -> None:
        super().add_arguments(parser)
        parser.add_argument("account", metavar="ACCOUNT", help="the account's id")
        parser.add_argument("file", metavar="FILE", help="as exported; - for stdin")
        parser.add_argument(
            "--format", choices=FORMS, help="where the file's name does not say it"
        )

    def handle(self, *, account: str, file: str, **options: Any) -> None:
        wanted = find_account(account)
        form = options["format"] or Path(file).suffix.removeprefix(".").lower()
        if form not in FORMS:
            raise CommandError("Say --format csv or --format json")
        try:
            with opened(file) as text:
                lines = FORMS[form].read(text, wanted.unit, frozenset(Source.values))
                done = importing.import_snapshots(wanted, lines)
        except importing.BadHistory as error:
            told = "\n".join(map(str, error.mistakes))
            raise CommandError(f"Nothing was imported:\n{told}") from error
        except (OSError, UnicodeDecodeError, importing.ImportRunning) as error:
            raise CommandError(f"Nothing was imported: {error}") from error
        self.tell(
            {"account": account, "written": done.written, "known": done.known},
            [f"{done.written} written, {done.known} known already"],
            **options,
        )


def find_account(text: str) -> Account:
    """Return the account with that id; raises CommandError."""
    try:
        return Account.objects.get(pk=UUID(text))
    except (ValueError, Account.DoesNotExist) as error:
        raise CommandError(f"There is no account {text}") from error


@contextmanager
def opened(name: str) -> Iterator[TextIO]:
    """Open a file, or what is piped in, as text whose line ends are kept."""
    if name == "-":
        yield TextIOWrapper(sys.stdin.buffer, encoding="utf-8-sig", newline="")
        return
    with Path(name).open(encoding="utf-8-sig", newline="") as file:
        yield file
