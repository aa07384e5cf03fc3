"""Where workers come from: one process that has loaded everything, and forks.

A worker here does what a child of Celery's pool does: it is a fork of a process that
has imported the tasks, and it runs one of them.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
import threading
import traceback
from typing import Any

import django

django.setup()

from django.db import connections  # noqa: E402  # needs Django

from automation import tasks  # noqa: E402
from balsync_project.guard import die_with_parent  # noqa: E402
from providers.drivers.fleet import close_all  # noqa: E402
from tests.crash.tracing import Tracer  # noqa: E402
from tests.crash.workers import PATIENCE  # noqa: E402


def main() -> None:
    """Fork a worker for each line that asks for one, and say how it ended."""
    for line in sys.stdin:
        job = json.loads(line)
        if job.get("warm_up"):
            warm_up(job["task"], job["args"])
            print(json.dumps([0, 0]), flush=True)
            continue
        if pid := job.get("go_on"):
            os.kill(pid, signal.SIGCONT)
        else:
            pid = fork(job)
        _, status = os.waitpid(pid, os.WUNTRACED)
        print(json.dumps([pid, status]), flush=True)


def warm_up(task: str, args: list[str]) -> None:
    """Do one task here, so that what it loads is there already in every worker."""
    getattr(tasks, task)(*args)
    connections.close_all()
    close_all()
    if threading.active_count() > 1:
        raise RuntimeError(f"A fork needs one thread, here are {threading.enumerate()}")
    gc.collect()
    gc.freeze()


def fork(job: dict[str, Any]) -> int:
    """Start a worker and return its pid."""
    parent = os.getpid()
    if pid := os.fork():
        return pid
    die_with_parent()
    code = 1
    try:
        if os.getppid() == parent:
            carry_out(job)
            code = 0
    finally:
        os._exit(code)


def carry_out(job: dict[str, Any]) -> None:
    """Do one task under the eyes of a tracer; never longer than the patience lasts."""
    told = os.open(job["told"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    signal.alarm(PATIENCE)
    Tracer(told, job["at"], job["fault"]).install()
    try:
        getattr(tasks, job["task"])(*job["args"])
    except BaseException:
        lines = traceback.format_exc().splitlines()
        os.write(told, "".join(f"| {line}\n" for line in lines).encode())
        raise


if __name__ == "__main__":
    main()
