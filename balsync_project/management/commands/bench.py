"""Runs one measurement of `tests/bench/`."""

from __future__ import annotations

import pkgutil
from importlib import import_module

from django.core.management.base import BaseCommand, CommandError

HELPERS = {"floor", "load", "meter", "naive", "read_server"}


class Command(BaseCommand):
    help = "Measure the product beside a naive design and the physical floor."

    def run_from_argv(self, argv: list[str]) -> None:
        """Hand everything behind the name to the measurement, which parses it itself."""
        names = self.names()
        if len(argv) < 3 or argv[2] not in names:
            raise SystemExit(f"usage: manage.py bench {{{','.join(names)}}} [options]")
        import_module(f"tests.bench.{argv[2]}").main(argv[3:])

    def names(self) -> list[str]:
        try:
            package = import_module("tests.bench")
        except ModuleNotFoundError as error:
            raise CommandError("The measurements are in the source tree") from error
        found = (m.name for m in pkgutil.iter_modules(package.__path__))
        return sorted(set(found) - HELPERS)
