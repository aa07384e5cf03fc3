"""The servers beneath an installation, behind relays, and started again when they die."""

from __future__ import annotations

import os
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import redis

from balsync_project import embedded
from balsync_project.processes import tree
from balsync_project.processes.child import Child
from balsync_project.processes.console import Console
from balsync_project.processes.supervisor import Supervisor

ROOT = Path(__file__).parents[2]
START_SECONDS = 60
SOCKETS = (".s.PGSQL.5432", "valkey.sock")
RELAYS = ("postgres", "valkey")  # in the same order


@dataclass
class Stage:
    """PostgreSQL and Valkey of their own; `urls` lead to the relays before them."""

    folder: Path
    supervisor: Supervisor
    urls: dict[str, str] = field(default_factory=dict)
    children: dict[str, Child] = field(default_factory=dict)
    valkey_url: str = ""  # past the relay
    _orders: str = ""

    def tick(self, seconds: float = 0.1) -> None:
        """Let time pass, and what died start again."""
        self.supervisor.tick(seconds)

    def start(self, child: Child) -> Child:
        self.children[child.name] = child
        self.supervisor.start(child)
        return child

    def spawn(self, name: str, *command: str, **environment: str) -> Child:
        """Start a command and keep it alive; what it says is in `<name>.log`."""

        def launch(guard, output: int) -> int:
            return guard.spawn(command, os.environ | environment, output=output)

        return self.start(Child(name, launch, log=self.folder / f"{name}.log"))

    def open(self) -> None:
        """Start the servers and the relays, and wait until they answer."""
        front, back = self._folders()
        servers = [
            embedded.postgres(self.folder / "postgres", back),
            embedded.valkey(self.folder / "valkey", back),
        ]
        for server in servers:
            child = self.start(tree.of_server(server, os.environ))
            self.supervisor.wait_until(server.is_ready, child.name, START_SECONDS)
        self.valkey_url = servers[1].url
        self._relay(front, back)
        self.urls = {
            "DATABASE_URL": servers[0].url.replace(str(back), str(front)),
            "REDIS_URL": servers[1].url.replace(str(back), str(front)),
        }

    def _folders(self) -> tuple[Path, Path]:
        found = embedded.private_sockets(), embedded.private_sockets()
        for folder in found:
            self.supervisor.guard.remove_at_end(folder)
        return found

    def _relay(self, front: Path, back: Path) -> None:
        self._orders = str(front / "orders.sock")
        sockets = [str(at / name) for name in SOCKETS for at in (front, back)]
        command = [sys.executable, "-m", "tests.chaos.relay", self._orders, *sockets]
        self.spawn("relay", *command, PYTHONPATH=str(ROOT))
        ready = Path(self._orders).exists
        self.supervisor.wait_until(ready, "relay", START_SECONDS)

    # -- what is done to them

    def kill(self, name: str, number: signal.Signals) -> None:
        """Send a signal to one server."""
        if pid := self.children[name].pid:
            os.kill(pid, number)

    def silence(self, name: str, seconds: float = 0) -> None:
        """Let every connection to a server that is open now go dead."""
        with socket.socket(socket.AF_UNIX) as wire:
            wire.connect(self._orders)
            wire.sendall(f"{RELAYS.index(name)} {seconds}\n".encode())
            wire.recv(16)

    def flush(self) -> None:
        """Let Valkey forget everything: queues, what is unacknowledged, heartbeats."""
        client = redis.Redis.from_url(self.valkey_url, socket_timeout=5)
        with suppress(redis.ConnectionError):
            client.flushall()
        client.close()


@contextmanager
def open_stage() -> Iterator[Stage]:
    """Make a stage in a temporary folder; everything on it ends with it."""
    with tempfile.TemporaryDirectory(prefix="chaos-") as name:
        folder = Path(name)
        supervisor = Supervisor(Console(quiet=True), folder / "stage.json")
        stage = Stage(folder, supervisor)
        try:
            stage.open()
            yield stage
        finally:
            supervisor.shut_down(list(stage.children.values()))
