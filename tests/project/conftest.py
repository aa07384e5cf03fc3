from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests import fixtures_worker

ROOT = Path(__file__).parent.parent.parent


def expect_soon(is_true, seconds=15.0):
    """Wait until `is_true`, or fail."""
    until = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.05)


def runs(pid):
    """Say whether a process runs; one that nobody has waited for yet does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def start_script():
    """Start Python code in a process of its own; what is left of it ends here."""
    started = []

    def start(code, *arguments, **environment):
        process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, arguments)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture(name="expect_soon")
def eventually_fixture():
    return expect_soon


@pytest.fixture(name="runs")
def runs_fixture():
    return runs


private_valkey = fixtures_worker.private_valkey
worker_settings = fixtures_worker.worker_settings
