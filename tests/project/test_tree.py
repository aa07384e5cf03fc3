"""The whole tree, really: it heals, it stops, and nothing of it is left behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest

from balsync_project import heartbeats
from balsync_project.processes.installation import (
    InstallationError,
    open_installation,
)
from balsync_project.processes.ports import free_port

ROOT = Path(__file__).parent.parent.parent
OURS = (
    "BALSYNC_",
    "DATABASE_",
    "REDIS_",
    "CREDENTIAL_",
    "SECRET_",
    "DJANGO_",
    "PYTEST_",
)
START_SECONDS = 150  # on a machine that does much else


class Running:
    """`manage.py serve` in a process of its own."""

    def __init__(self, data):
        self.data, self.port = data, free_port()
        self.output = data.parent / f"{self.port}.log"
        clean = {k: v for k, v in os.environ.items() if not k.startswith(OURS)}
        command = [sys.executable, ROOT / "manage.py", "serve", "--data", data]
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                [*command, "--port", str(self.port)],
                env=clean,
                stdout=output,
                stderr=output,
            )

    def is_ready(self):
        assert self.process.poll() is None, self.output.read_text()
        return "is ready at" in self.output.read_text()

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}") as answer:
            return answer.status, answer.read()

    def is_healthy(self):
        try:
            return self.get("/health/ready")[0] == 200
        except (urllib.error.URLError, ConnectionError):
            return False

    def pids(self):
        return json.loads((self.data / "processes.json").read_text())

    def everybody(self):
        return [
            p.pid for p in psutil.Process(self.process.pid).children(recursive=True)
        ]

    def sockets(self):
        environment = (self.data / "environment").read_text()
        found = next(
            line for line in environment.splitlines() if line.startswith("REDIS_URL")
        )
        return Path(found.partition("unix://")[2].rstrip("'")).parent


@pytest.fixture
def start(expect_soon):
    started = []

    def start(data):
        tree = Running(data)
        started.append(tree)
        expect_soon(tree.is_ready, START_SECONDS)
        return tree

    yield start
    for tree in started:
        tree.process.kill()
        tree.process.wait()


def check_login(tree):
    login = tree.data / "serve.json"
    told = json.loads(login.read_text())
    assert stat.S_IMODE(login.stat().st_mode) == 0o600
    assert stat.S_IMODE(tree.data.stat().st_mode) == 0o700
    assert told["url"] == f"http://127.0.0.1:{tree.port}"
    wanted = urllib.request.Request(
        f"{told['url']}/api/v1/accounts/",
        headers={"Authorization": f"Token {told['token']}"},
    )
    with urllib.request.urlopen(wanted) as answer:
        assert answer.status == 200
    return told


def check_it_heals(tree, expect_soon, runs):
    """Kill every process of the tree without a warning, one after the other."""
    for name, pid in tree.pids().items():
        family = [p.pid for p in psutil.Process(pid).children(recursive=True)]
        os.kill(pid, signal.SIGKILL)
        expect_soon(lambda: tree.pids().get(name) not in (None, pid), 30)  # noqa: B023
        expect_soon(lambda: not any(map(runs, family)))  # noqa: B023
    expect_soon(tree.is_healthy, 60)


def check_a_job_is_done(tree, expect_soon):
    told = 'balsync_job_done_seconds{job="Dispatch due syncs"}'
    expect_soon(lambda: told in tree.get("/metrics")[1].decode(), 60)


def check_second_start_is_refused(tree):
    command = [sys.executable, ROOT / "manage.py", "serve", "--data", tree.data]
    refused = subprocess.run(
        [*command, "--port", str(free_port())], capture_output=True, text=True
    )
    assert refused.returncode == 1
    assert f"already runs on {tree.data} (process {tree.process.pid})" in refused.stderr


def test_a_tree_heals_leaves_nothing_when_killed_and_starts_again(
    start, tmp_path, expect_soon, runs
):
    first = start(tmp_path / "data")
    login = check_login(first)
    check_second_start_is_refused(first)
    check_it_heals(first, expect_soon, runs)
    check_a_job_is_done(first, expect_soon)
    everybody, sockets = first.everybody(), first.sockets()
    assert len(everybody) > len(heartbeats.ROLES)

    first.process.kill()
    first.process.wait()
    expect_soon(lambda: not any(map(runs, everybody)))
    expect_soon(lambda: not sockets.exists())

    second = start(tmp_path / "data")
    assert check_login(second)["token"] == login["token"]
    everybody, sockets = second.everybody(), second.sockets()
    second.process.send_signal(signal.SIGINT)

    assert second.process.wait(20) == 0
    assert not any(map(runs, everybody))
    assert not sockets.exists()
    assert not (tmp_path / "data" / "environment").exists()


@pytest.mark.parametrize("command", ["demo", "serve"])
def test_taken_port_is_said_clearly(command, tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        start = [sys.executable, ROOT / "manage.py", command]
        refused = subprocess.run(
            [*start, "--data", tmp_path, "--port", port],
            capture_output=True,
            text=True,
        )

    assert refused.returncode == 1
    assert f"Port {port} is taken" in refused.stderr
    assert not list(tmp_path.iterdir())


def test_demo_folder_is_no_place_for_real_money(tmp_path):
    open_installation(tmp_path, "demo").close()

    with pytest.raises(InstallationError, match="give `serve` its own folder"):
        open_installation(tmp_path, "serve")


def test_installation_keeps_its_secrets_over_starts(tmp_path):
    first = open_installation(tmp_path / "new", "serve")
    told = first.settings()
    first.close()

    second = open_installation(tmp_path / "new", "serve")

    assert second.settings() == told
    assert (
        stat.S_IMODE((tmp_path / "new" / "installation.json").stat().st_mode) == 0o600
    )
    second.close()


def test_two_installations_share_nothing(tmp_path):
    both = [open_installation(tmp_path / name, "serve") for name in "ab"]

    assert not set(both[0].settings().values()) & set(both[1].settings().values())
    for installation in both:
        installation.close()
