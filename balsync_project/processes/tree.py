"""What the tree is made of: the command and the environment of each process."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .child import Child

ROOT = Path(__file__).resolve().parent.parent.parent
PYTHON = sys.executable
HOST = "127.0.0.1"


@dataclass
class Tree:
    """The processes of one installation on this machine."""

    environment: Mapping[str, str]
    port: int
    concurrency: int = 1
    extra: dict[str, str] = field(default_factory=dict)

    def _child(self, name: str, *command: str, **extra: str) -> Child:
        return Child(name, [PYTHON, *command], {**self.environment, **extra})

    def manage(self, *words: str) -> Child:
        """Return one run of manage.py."""
        return self._child(words[0], str(ROOT / "manage.py"), *words)

    def sandbox(self, port: int, state: Path) -> Child:
        """Return the institutions that play the real ones."""
        place = ["--port", str(port), "--state", str(state)]
        return self._child("sandbox", "-m", "providers.sandbox", *place)

    def web(self) -> Child:
        """Return the web server: one process that answers, one that keeps it."""
        return self._child(
            "web",
            *("-m", "granian", "--interface", "wsgi", "--no-ws"),
            *("--host", HOST, "--port", str(self.port), "--workers", "1"),
            *("--blocking-threads", "8", "--runtime-threads", "1"),
            *("--runtime-blocking-threads", "8", "--backpressure", "64"),
            *("--log-level", "error", "--workers-kill-timeout", "3"),
            "balsync_project.wsgi:application",
            BALSYNC_DIE_WITH_PARENT="1",
        )

    def worker(self, queue: str) -> Child:
        """Return the worker of one queue."""
        return self._child(
            f"worker-{queue}",
            *("-m", "celery", "-A", "balsync_project", "worker", "-Q", queue),
            *("-n", f"{queue}@%h", "-c", str(self.concurrency), "-l", "INFO"),
            *("--without-gossip", "--without-mingle"),
            # A worker that is told to stop gives its task back, and soon.
            REMAP_SIGTERM="SIGQUIT",
            WORKER_SHUTDOWN_SECONDS="2",
        )

    def beat(self) -> Child:
        """Return the process that says when things are due."""
        return self._child(
            "beat",
            *("-m", "celery", "-A", "balsync_project", "beat", "-l", "WARNING"),
            "--pidfile=",
        )

    def everything(self) -> list[Child]:
        """Return what serves people and does the work."""
        workers = [self.worker(queue) for queue in ("sync", "automation")]
        return [self.web(), *workers, self.beat()]


def base_environment() -> dict[str, str]:
    """Return this process's environment, with what every child needs."""
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        "DJANGO_SETTINGS_MODULE": "balsync_project.settings",
        "BALSYNC_LOG_FORMAT": os.environ.get("BALSYNC_LOG_FORMAT", "text"),
    }


def is_free(port: int) -> bool:
    """Say whether a server could listen on `port` of this machine."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
