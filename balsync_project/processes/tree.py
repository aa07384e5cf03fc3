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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from setproctitle import getproctitle, setproctitle

from balsync_project.embedded import Server
from balsync_project.guard import Guard

from .child import Child

QUEUES = ("sync", "automation")
OURS = "balsync_project.processes.parts"
ORIGINAL_TITLE = getproctitle()  # finds its place, while the environment is untouched
# What plays the institutions, and most of what their clients need.
SANDBOX = ("providers.sandbox.__main__",)
# What a start needs and no setting touches: imported while the servers start.
HEAVY = (
    *("celery.apps.beat", "celery.apps.worker", "celery.backends.base"),
    *("celery.concurrency.prefork", "celery.worker.autoscale"),
    *("celery.worker.consumer", "celery.worker.pidbox", "kombu.transport.redis"),
    *("django.db.models", "granian.server", "holidays", "psycopg", "rich.table"),
)
# What people and queues talk to: imported while the database is prepared.
PARTS = (
    *("balsync_project.urls", "balsync_project.wsgi", "balsync_project.scheduler"),
    OURS,
)


@dataclass(frozen=True)
class Tree:
    """The parts of balsync that people and queues talk to."""

    port: int
    concurrency: int = 1

    def web(self) -> Child:
        """Return the web server: one process that answers, one that keeps it."""
        return forked("web", f"{OURS}:web", self.port, BALSYNC_DIE_WITH_PARENT="1")

    def worker(self, queue: str) -> Child:
        """Return the worker of one queue."""
        return forked(f"worker-{queue}", f"{OURS}:worker", queue, self.concurrency)

    def beat(self) -> Child:
        """Return the process that says when things are due."""
        return forked("beat", f"{OURS}:beat")

    def everything(self) -> list[Child]:
        """Return what serves people and does the work."""
        return [self.web(), *map(self.worker, QUEUES), self.beat(), self.stream()]

    def stream(self) -> Child:
        """Return the process that holds streams open."""
        return manage("stream_balances")


def of_server(server: Server, environment: Mapping[str, str]) -> Child:
    """Return a database server, which starts again on its old data."""

    def launch(guard: Guard, output: int) -> int:
        server.prepare()
        death = server.stop_signal
        return guard.spawn(server.command, environment, output=output, death=death)

    return Child(server.name, launch, stop=server.stop_signal, log=server.log)


def sandbox(
    port: int, state: Path, environment: Mapping[str, str], *, stir: float = 0
) -> Child:
    """Return the institutions that play the real ones; people act every `stir` seconds."""
    words = ["--port", str(port), "--state", str(state), "--stir", str(stir)]
    return forked("sandbox", "providers.sandbox.__main__:main", words, **environment)


def manage(*words: str) -> Child:
    """Return one run of a management command."""
    line = ["manage.py", *words]
    return forked(words[0], "django.core.management:execute_from_command_line", line)


def forked(name: str, target: str, *arguments: object, **environment: str) -> Child:
    """Return a copy of this process that calls `target`, a `module:function`."""

    def work() -> None:
        setproctitle(f"balsync {name}")
        os.environ.update(environment)
        tempfile.tempdir = None  # or the parent's would be used, whatever TMPDIR says
        sys.argv = ["balsync", name]
        gc.enable()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        module, _, function = target.partition(":")
        getattr(import_module(module), function)(*arguments)

    return Child(name, lambda guard, output: guard.fork(work, output=output))


def preload(modules: Sequence[str] = HEAVY) -> None:
    """Import what every part needs, once."""
    gc.disable()  # what is imported stays: to look through it again and again is in vain
    for module in modules:
        import_module(module)


def load_django(environment: Mapping[str, str]) -> None:
    """Read the settings and load the applications."""
    os.environ.update(environment)
    import_module("django").setup()


def load_parts() -> None:
    """Import what is left, and be ready to be copied."""
    preload(PARTS)
    if threading.active_count() > 1:
        raise RuntimeError(f"A fork needs one thread, here are {threading.enumerate()}")
    gc.freeze()  # or each copy's first collection would write to every shared page
    gc.enable()
