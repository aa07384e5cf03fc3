"""What the tree is made of. Django is imported once, here, and each part is a copy.

Five separate starts would each import for seconds what a fork shares at once, in memory
too. The supervisor therefore never opens a connection and never starts a thread.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from setproctitle import getproctitle, setproctitle

from balsync_project.embedded import Server
from balsync_project.guard import Guard

from .child import Child
from .ports import HOST

QUEUES = ("sync", "automation")
ORIGINAL_TITLE = getproctitle()  # finds its place, while the environment is untouched
# What a start needs and no setting touches: imported while the servers start.
HEAVY = (
    "celery.bin.celery",
    "celery.apps.worker",
    "granian.cli",
    "psycopg",
    "requests",
)
HEAVY += ("aiohttp", "django.db.models", "holidays", "limits", "rich.table")


@dataclass(frozen=True)
class Tree:
    """The parts of balsync that people and queues talk to."""

    port: int
    concurrency: int = 1

    def web(self) -> Child:
        """Return the web server: one process that answers, one that keeps it."""
        return forked(
            "web",
            _granian,
            *("--interface", "wsgi", "--no-ws", "--host", HOST),
            *("--port", str(self.port), "--workers", "1", "--runtime-threads", "1"),
            *("--blocking-threads", "8", "--runtime-blocking-threads", "8"),
            *("--backpressure", "64", "--log-level", "error"),
            *("--workers-kill-timeout", "3", "--process-name", "balsync web"),
            "balsync_project.wsgi:application",
            BALSYNC_DIE_WITH_PARENT="1",
        )

    def worker(self, queue: str) -> Child:
        """Return the worker of one queue."""
        return forked(
            f"worker-{queue}",
            _celery,
            *("worker", "-Q", queue, "-n", f"{queue}@%h", "-l", "INFO"),
            *("-c", str(self.concurrency), "--without-gossip", "--without-mingle"),
        )

    def beat(self) -> Child:
        """Return the process that says when things are due."""
        return forked("beat", _celery, "beat", "-l", "WARNING", "--pidfile=")

    def everything(self) -> list[Child]:
        """Return what serves people and does the work."""
        return [self.web(), *map(self.worker, QUEUES), self.beat()]


def of_server(server: Server, environment: Mapping[str, str]) -> Child:
    """Return a database server, which starts again on its old data."""

    def launch(guard: Guard, output: int) -> int:
        server.prepare()
        death = server.stop_signal
        return guard.spawn(server.command, environment, output=output, death=death)

    return Child(server.name, launch, stop=server.stop_signal, log=server.log)


def sandbox(port: int, state: Path, environment: Mapping[str, str]) -> Child:
    """Return the institutions that play the real ones."""
    place = ["--port", str(port), "--state", str(state)]
    command = [sys.executable, "-m", "providers.sandbox", *place]
    return Child(
        "sandbox", lambda guard, out: guard.spawn(command, environment, output=out)
    )


def manage(*words: str) -> Child:
    """Return one run of a management command."""
    return forked(words[0], _manage, *words)


def forked(name: str, main: Callable[[], object], *words: str, **extra: str) -> Child:
    """Return a copy of this process that runs `main` with `words` to read."""

    def work() -> None:
        setproctitle(f"balsync {name}: {' '.join(words)}")
        os.environ.update(extra)
        tempfile.tempdir = None  # or the parent's would be used, whatever TMPDIR says
        sys.argv = [name, *words]
        signal.signal(signal.SIGINT, signal.default_int_handler)
        main()

    return Child(name, lambda guard, output: guard.fork(work, output=output))


def preload(modules: Sequence[str] = HEAVY) -> None:
    """Import what every part needs, once."""
    for module in modules:
        import_module(module)


def load_django(environment: Mapping[str, str]) -> None:
    """Read the settings and load the applications, ready to be copied."""
    os.environ.update(environment)
    import_module("django").setup()
    preload(["balsync_project.urls", "balsync_project.wsgi"])
    if threading.active_count() > 1:
        raise RuntimeError(f"A fork needs one thread, here are {threading.enumerate()}")
    gc.collect()
    gc.freeze()  # or each copy's first collection would write to every shared page


def _granian() -> None:
    import_module("granian.cli").entrypoint()


def _celery() -> None:
    sys.argv[1:1] = ["-A", "balsync_project"]
    import_module("celery.bin.celery").main()


def _manage() -> None:
    line = ["manage.py", *sys.argv[1:]]
    import_module("django.core.management").execute_from_command_line(line)
