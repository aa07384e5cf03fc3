"""The commands `demo` and `serve`: the whole of balsync on one machine."""

from __future__ import annotations

import argparse
import http.client
import json
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from balsync_project import embedded

from . import tree
from .child import Child
from .console import Console
from .installation import Installation, InstallationError, open_installation
from .ports import HOST, free_port, is_free
from .supervisor import StartError, Stopped, Supervisor

ROOT = Path(__file__).resolve().parent.parent.parent
START_SECONDS = 90.0
STIR = 5.0  # seconds between two trades of the demo's person, where there are exchanges
DEFAULT_DATA = {"demo": ROOT / "var", "serve": ROOT / "data"}
DESCRIPTIONS = {
    "demo": "Runs everything here, against sandboxes of the institutions.",
    "serve": "Runs balsync here for real use; everything is kept in one folder.",
}


@dataclass
class Session:
    """One run of `demo` or `serve`."""

    kind: str
    options: argparse.Namespace
    installation: Installation
    supervisor: Supervisor
    console: Console
    environment: dict[str, str] = field(default_factory=lambda: dict(os.environ))
    servers: list[Child] = field(default_factory=list)
    others: list[Child] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.options.port}"

    @property
    def login_file(self) -> Path:
        """Where scripts find the address, the login and a token."""
        return self.installation.folder / f"{self.kind}.json"

    def start(self) -> None:
        """Start all, in the order of need; what can wait for each other does not."""
        self.set_environment()
        ready = self.start_servers()
        if self.kind == "demo":
            tree.preload(tree.SANDBOX)
            self.others.append(self.sandbox())
        tree.preload()
        for child, is_ready in ready:
            self._wait_for(child, is_ready)
        if self.kind == "demo":
            self.wait_for_sandbox()
        self.publish()
        tree.load_django(self.environment)
        self.prepare()
        self.start_everything()

    def set_environment(self) -> None:
        """Set what each part must know before the settings are read."""
        self.environment.update(self.installation.settings())
        defaults = {
            "PYTHONPATH": str(ROOT),
            "DJANGO_SETTINGS_MODULE": "balsync_project.settings",
            "BALSYNC_PUBLIC_URL": self.url,
            "BALSYNC_LOG_FORMAT": "text",
            # A worker that is told to stop gives its task back, and soon.
            "REMAP_SIGTERM": "SIGQUIT",
            "WORKER_SHUTDOWN_SECONDS": "2",
        }
        self.environment.update({**defaults, **self.environment})
        os.environ.update(self.environment)

    def start_servers(self) -> list[tuple[Child, Callable[[], bool]]]:
        """Start PostgreSQL and Valkey, unless the environment names others."""
        sockets = embedded.private_sockets()
        self.supervisor.guard.remove_at_end(sockets)
        # What a killed worker leaves behind goes with the sockets.
        self.environment["TMPDIR"] = str(sockets)
        folder, started = self.installation.folder, []
        for name, make, data in (
            ("DATABASE_URL", embedded.postgres, folder / "postgres"),
            ("REDIS_URL", embedded.valkey, folder / "valkey"),
        ):
            if not self.environment.get(name):
                server = make(data, sockets)
                self.environment[name] = server.url
                child = tree.of_server(server, dict(os.environ))
                self.servers.append(child)
                self.supervisor.start(child)
                started.append((child, server.is_ready))
        return started

    def _wait_for(self, child: Child, is_ready: Callable[[], bool]) -> None:
        self.supervisor.wait_until(
            lambda: _lives(child) and is_ready(), child.name, START_SECONDS
        )

    def sandbox(self) -> Child:
        """Start the institutions that play the real ones."""
        state = self.installation.folder / "sandbox"
        # While one payday is compared with the books, nothing else should move.
        stir = 0 if self.options.once else self.options.stir
        child = tree.sandbox(free_port(), state, self.environment, stir=stir)
        self.supervisor.start(child)
        return child

    def wait_for_sandbox(self) -> None:
        """Let the providers be reached where the sandbox says it is."""
        child = self.others[0]
        self._wait_for(child, lambda: bool(_ready_line(child)))
        said = json.loads(_ready_line(child))
        self.environment["BALSYNC_SANDBOX_URL"] = said["ready"]
        self.environment["BALSYNC_PROVIDER_URLS"] = json.dumps(said["hosts"])

    def prepare(self) -> None:
        """Migrate, and make what a first start needs; meanwhile the parts load."""
        place = ["--login-file", str(self.login_file), "--url", self.url]
        child = tree.manage("prepare", self.kind, *place)
        if self.supervisor.run(child, tree.load_parts):
            raise StartError(f"`prepare` failed:\n{child.last_words()}")

    def publish(self) -> None:
        """Let other commands find this installation."""
        own = {*self.installation.settings(), "DATABASE_URL", "REDIS_URL"}
        own |= {name for name in self.environment if name.startswith("BALSYNC_")}
        self.installation.publish({name: self.environment[name] for name in own})

    def start_everything(self) -> None:
        """Start web, workers and beat, and wait until all of them answer."""
        parts = tree.Tree(self.options.port, self.options.concurrency)
        for child in parts.everything():
            self.others.append(child)
            self.supervisor.start(child)
        ready = _Seldom(lambda: _is_ready(self.options.port))
        self.supervisor.wait_until(ready, "starting", START_SECONDS)

    def stop(self) -> None:
        """Stop everything; the servers go last."""
        self.supervisor.shut_down(self.others, self.servers)
        self.installation.close()

    def greet(self) -> None:
        """Say where balsync is, and how to get in."""
        self.console.say(f"\n  balsync is ready at {self.url}")
        if self.login_file.exists():
            login = json.loads(self.login_file.read_text())
            self.console.say(f"  login     {login['username']} / {login['password']}")
            self.console.say(f"  scripts   {self.login_file}")
        self.console.say(f"  API       {self.url}/api/v1/docs/")
        self.console.say("  Ctrl-C stops everything.\n")


def run(kind: str, arguments: Sequence[str]) -> int:
    """Run `demo` or `serve` until it is stopped, and return the exit code."""
    options = _parse(kind, arguments)
    console = Console(quiet=options.quiet)
    if options.once:
        options.port = options.port or free_port()
    options.port = options.port or 8000
    if not is_free(options.port):
        console.warn(f"Port {options.port} is taken: choose another with --port.")
        return 1
    try:
        installation = open_installation(options.data.resolve(), kind)
    except InstallationError as error:
        console.warn(str(error))
        return 1
    supervisor = Supervisor(console, installation.folder / "processes.json")
    session = Session(kind, options, installation, supervisor, console)
    return _play(session, _once if options.once else _stay)


def _play(session: Session, then: Callable[[Session], int]) -> int:
    try:
        session.start()
        return then(session)
    except Stopped:
        return 0
    except (StartError, embedded.EmbeddedServerError) as error:
        session.console.warn(str(error))
        return 1
    finally:
        session.console.say("Stopping …")
        session.stop()


def _stay(session: Session) -> int:
    session.greet()
    session.supervisor.stay()
    return 0


def _once(session: Session) -> int:
    child = tree.manage("play_payday")
    session.console.only = child.name  # its tables are what was asked for
    return session.supervisor.run(child)


@dataclass
class _Seldom:
    """Asks a question again only after a pause; until then the answer is no."""

    ask: Callable[[], bool]
    pause: float = 0.1
    _next: float = 0.0

    def __call__(self) -> bool:
        if time.monotonic() < self._next:
            return False
        answer = self.ask()
        self._next = time.monotonic() + self.pause
        return answer


def _lives(child: Child) -> bool:
    """Return true while the child runs; raises StartError when it has died."""
    if child.pid is None:
        raise StartError(f"{child.name} did not start:\n{child.last_words()}")
    return True


def _ready_line(sandbox: Child) -> str:
    return next((line for line in sandbox.lines if line.startswith('{"ready"')), "")


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=2)
    with suppress(OSError, http.client.HTTPException):
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == http.HTTPStatus.OK
    return False


def _parse(kind: str, arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=f"manage.py {kind}", description=DESCRIPTIONS[kind]
    )
    parser.add_argument("--port", type=int, help="8000 unless given")
    parser.add_argument(
        "--data", type=Path, default=os.environ.get("BALSYNC_DATA", DEFAULT_DATA[kind])
    )
    parser.add_argument("--concurrency", type=int, default=1, help="of each worker")
    parser.add_argument("--quiet", action="store_true", help="hide what children say")
    parser.set_defaults(once=False)
    if kind == "demo":
        parser.add_argument(
            "--once", action="store_true", help="play one payday, check it, and stop"
        )
        parser.add_argument(
            "--stir",
            type=float,
            default=STIR,
            metavar="SECONDS",
            help="let somebody trade at the exchanges so often; 0: never",
        )
    return parser.parse_args(arguments)
