"""What each copy of the supervisor becomes; by the libraries, not their command lines.

A command line would be imported and parsed again by each part: a tenth of the start.
"""

from __future__ import annotations

import sys

from celery.utils.nodenames import host_format
from granian.constants import Interfaces
from granian.http import HTTP1Settings, HTTP2Settings
from granian.log import LogLevels
from granian.server import Server

from balsync_project.celery import app

from .ports import HOST

THREADS = 8
WAITING = 64  # requests that a full house still lets in


def web(port: int) -> None:
    """Answer people: one process that answers, one that keeps it."""
    Server(
        "balsync_project.wsgi:application",
        address=HOST,
        port=port,
        interface=Interfaces.WSGI,
        websockets=False,
        workers=1,
        runtime_threads=1,
        blocking_threads=THREADS,
        runtime_blocking_threads=THREADS,
        backpressure=WAITING,
        http1_settings=HTTP1Settings(),
        http2_settings=HTTP2Settings(),
        log_level=LogLevels.error,
        workers_kill_timeout=3,
        process_name="balsync web",
    ).serve()


def worker(queue: str, concurrency: int) -> None:
    """Work on one queue; exits with what Celery says."""
    working = app.Worker(
        hostname=host_format(f"{queue}@%h"),
        queues=[queue],
        concurrency=concurrency,
        loglevel="INFO",
        without_gossip=True,
        without_mingle=True,
    )
    working.start()
    sys.exit(working.exitcode)


def beat() -> None:
    """Say when things are due."""
    app.Beat(loglevel="WARNING").run()
