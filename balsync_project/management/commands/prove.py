"""Runs one exhaustive proof of `tests/proofs/`."""

from __future__ import annotations

import pkgutil
from importlib import import_module

from django.core.management.base import BaseCommand, CommandError


class Command(BaseCommand):
    help = "Prove a promise at length: print figures, exit 1 on a violation."

    def run_from_argv(self, argv: list[str]) -> None:
        """Hand everything behind the name to the proof, whose `main` returns the status."""
        names = self.names()
        if len(argv) < 3 or argv[2] not in names:
            raise SystemExit(f"usage: manage.py prove {{{','.join(names)}}} [options]")
        raise SystemExit(import_module(f"tests.proofs.{argv[2]}").main(argv[3:]))

    def names(self) -> list[str]:
        """Return what can be proved: the modules that do not begin with an underscore."""
        try:
            package = import_module("tests.proofs")
        except ModuleNotFoundError as error:
            raise CommandError("The proofs are in the source tree") from error
        found = (m.name for m in pkgutil.iter_modules(package.__path__))
        return sorted(name for name in found if not name.startswith("_"))
