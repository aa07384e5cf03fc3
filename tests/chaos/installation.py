"""A demo that runs as a process of its own, met as any client meets it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import requests

T = TypeVar("T")
ROOT = Path(__file__).parents[2]
START_SECONDS, STOP_SECONDS = 120, 60
OWN = ("DATABASE_URL", "REDIS_URL", "BALSYNC_", "SECRET_KEY", "CREDENTIAL_KEYS")


@dataclass
class Demo:
    """One running demo: its API, its sandbox and its processes."""

    process: subprocess.Popen[bytes]
    folder: Path
    login: dict[str, Any]
    pause: Callable[[float], object] = time.sleep  # between one try and the next
    timeout: float = 20  # seconds for one answer
    patience: float = 90  # seconds for which a web server may be dead

    def __post_init__(self) -> None:
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Token {self.login['token']}"

    def pids(self) -> dict[str, int]:
        """Return the process id of each part that runs now."""
        return json.loads((self.folder / "processes.json").read_text())

    def get(self, path: str, **params: Any) -> Any:
        """Return an answer, however often the web server dies meanwhile."""
        return self._insist("GET", path, params=params)

    def post(self, path: str, body: Any = None, *, key: str = "") -> Any:
        """Post once: the key lets us repeat what may have been heard already."""
        headers = {"Idempotency-Key": key} if key else {}
        return self._insist("POST", path, json=body or {}, headers=headers)

    def every(self, path: str, **params: Any) -> Iterator[dict[str, Any]]:
        """Yield every row of a list, page after page."""
        page = self.get(path, **params)
        yield from page["results"]
        while page["next"]:
            page = self._insist("GET", page["next"])
            yield from page["results"]

    def _insist(self, method: str, path: str, **more: Any) -> Any:
        url = path if path.startswith("http") else f"{self.login['url']}/api/v1{path}"
        until = time.monotonic() + self.patience
        while True:
            try:
                answer = self.session.request(method, url, timeout=self.timeout, **more)
            except requests.RequestException:
                if time.monotonic() > until:
                    raise
            else:
                if answer.status_code < 500 and answer.status_code not in (409, 429):
                    return _read(answer)
                if time.monotonic() > until:
                    return _read(answer)
            self.pause(0.3)


def _read(answer: requests.Response) -> Any:
    if not answer.ok:
        raise requests.HTTPError(answer.text[:2000], response=answer)
    return answer.json()


@contextmanager
def running_demo(
    folder: Path, log: Path, words: Sequence[str] = (), **servers: str
) -> Iterator[Demo]:
    """Start `manage.py demo` in `folder`; stop it as Ctrl-C would.

    `servers` are the variables that name others than its own.
    """
    clean = {k: v for k, v in os.environ.items() if not k.startswith(OWN)} | servers
    clean.pop("DJANGO_SETTINGS_MODULE", None)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    # Trades at exchanges are no part of a payday, and cost the machine a lot.
    command = [sys.executable, "manage.py", "demo", "--data", str(folder)]
    command += ["--stir", "0"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--port", str(port), *words],
            cwd=ROOT,
            env=clean,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )
    try:
        yield Demo(process, folder, _await_login(process, folder, port, log))
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await_login(
    process: subprocess.Popen[bytes], folder: Path, port: int, log: Path
) -> dict[str, Any]:
    def ready() -> bool:
        if process.poll() is not None:
            raise RuntimeError(f"The demo ended:\n{log.read_text()[-2000:]}")
        try:
            return requests.get(f"http://127.0.0.1:{port}/health/ready", timeout=5).ok
        except requests.RequestException:
            return False

    wait_for(ready, "the demo to start", START_SECONDS)
    return json.loads((folder / "demo.json").read_text())


def wait_for(ask: Callable[[], T], what: str, seconds: float) -> T:
    """Return the first true answer; raises TimeoutError."""
    until = time.monotonic() + seconds
    while not (answer := ask()):
        if time.monotonic() > until:
            raise TimeoutError(f"Waited {seconds} s for {what}")
        time.sleep(0.25)
    return answer
