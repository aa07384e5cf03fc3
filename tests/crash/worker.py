"""Several processes that begin one run together, and end."""

from __future__ import annotations

import os
import sys

import django

django.setup()

from automation import services  # noqa: E402  # needs Django


def main(run_id: str, processes: str) -> None:
    """Let `processes` children begin together; fails if one of them does."""
    gate, go = os.pipe()
    children = []
    for _ in range(int(processes)):
        if child := os.fork():
            children.append(child)
            continue
        os.close(go)
        os.read(gate, 1)  # ends for all at once, when the parent closes its end
        services.execute_run(run_id)
        os._exit(0)
    os.close(go)
    codes = [os.waitpid(child, 0)[1] for child in children]
    sys.exit(any(codes))


if __name__ == "__main__":
    main(*sys.argv[1:])
