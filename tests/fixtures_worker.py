"""A queue of one's own and workers on it; imported by the conftests that want them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.db import connection

from balsync_project import embedded
from balsync_project.guard import Guard

ROOT = Path(__file__).parents[1]
PATIENCE = 90.0  # seconds: on a busy machine a worker takes its time to start


@dataclass
class Valkey:
    """A Valkey that nobody else uses: it may be frozen, emptied and misconfigured."""

    url: str
    pid: int

    def freeze(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)


@pytest.fixture
def private_valkey(tmp_path) -> Iterator[Valkey]:
    guard, sockets = Guard(), embedded.private_sockets()
    guard.remove_at_end(sockets)
    server = embedded.valkey(tmp_path / "valkey", sockets)
    with server.log.open("ab") as log:
        pid = guard.spawn(
            server.command, os.environ, output=log.fileno(), death=signal.SIGKILL
        )
    server.wait(lambda: os.waitpid(pid, os.WNOHANG) == (0, 0))
    yield Valkey(server.url, pid)
    guard.close()


@pytest.fixture
def worker_settings(settings) -> dict[str, str]:
    """Return what leads a real worker to the tests' database, keys and bank."""
    database = urlsplit(os.environ["DATABASE_URL"])
    name = connection.settings_dict["NAME"]
    return os.environ | {
        "DJANGO_SETTINGS_MODULE": "balsync_project.settings",
        "DATABASE_URL": database._replace(path=f"/{name}").geturl(),
        "BALSYNC_PROVIDER_URLS": json.dumps(settings.PROVIDER_URLS),
        "BALSYNC_INSTALLATION_ID": str(settings.INSTALLATION_ID),
        "CREDENTIAL_KEYS": ",".join(settings.CREDENTIAL_KEYS),
        "SECRET_KEY": settings.SECRET_KEY,
        "WORKER_SHUTDOWN_SECONDS": "1",
        "PYTHONPATH": str(ROOT),
    }


@pytest.fixture
def celery_worker_process(
    worker_settings, private_valkey, tmp_path
) -> Iterator[Callable[..., Path]]:
    """Start Celery workers on the private Valkey; each call returns the worker's log."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*words: str) -> Path:
        log = tmp_path / f"worker-{len(started)}.log"
        command = [sys.executable, "-m", "celery", "-A", "balsync_project", "worker"]
        with log.open("wb") as output:
            started.append(
                subprocess.Popen(
                    [*command, "-Q", "automation", "--without-gossip", *words],
                    env=worker_settings | {"REDIS_URL": private_valkey.url},
                    cwd=ROOT,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
            )
        return log

    yield start
    for process in started:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_until(is_true: Callable[[], bool], what: str) -> None:
    """Wait for a condition, however busy the machine is; raises AssertionError."""
    until = time.monotonic() + PATIENCE
    while not is_true():
        assert time.monotonic() < until, f"{what} did not happen"
        time.sleep(0.05)
