from __future__ import annotations

import os
import sys

import pytest
from django.core.management.base import BaseCommand

MOST_PROCESSES = 16  # what one PostgreSQL and one Valkey carry with ease
# With any of these somebody looks for something: one process tells it more clearly.
ALONE = ("-k", "-m", "-n", "-p", "-s", "-x", "--co", "--ff", "--lf", "--pdb", "--sw")


class Command(BaseCommand):
    help = "Runs the tests. What follows is pytest's: manage.py test -k sweep -x"

    def run_from_argv(self, argv: list[str]) -> None:
        """Hand over to pytest; a `--` before its options may be given."""
        words = [word for word in argv[2:] if word != "--"]
        sys.exit(pytest.main([*spread(words), *words]))


def spread(words: list[str]) -> list[str]:
    """Return what shares the whole suite among the cores; nothing for a part of it."""
    cores = min(len(os.sched_getaffinity(0)), MOST_PROCESSES)
    is_part = any(not w.startswith("-") or w.startswith(ALONE) for w in words)
    if is_part or cores < 2:
        return []
    # The order is that of tests/conftest.py: what takes longest starts first. One more
    # than there are cores, for some tests mostly wait; with two more all of them take
    # longer, for each pushes out of the caches what another needs.
    return ["-n", str(cores + 1), "--dist", "loadfile", "--no-loadscope-reorder"]
