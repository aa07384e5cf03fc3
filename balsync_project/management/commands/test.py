from __future__ import annotations

import sys

import pytest
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Runs the tests. What follows is pytest's: manage.py test -k sweep -x"

    def run_from_argv(self, argv: list[str]) -> None:
        """Hand over to pytest; a `--` before its options may be given."""
        sys.exit(pytest.main([word for word in argv[2:] if word != "--"]))
