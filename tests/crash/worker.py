"""A worker of its own process: takes one run further, or all that is due, and ends."""

from __future__ import annotations

import sys

import django

django.setup()

from automation import services, tasks  # noqa: E402  # needs Django


def main(run_id: str = "") -> None:
    if run_id:
        services.execute_run(run_id)
    else:
        tasks.sweep_unsettled()


if __name__ == "__main__":
    main(*sys.argv[1:])
