"""Worker processes that can be killed, and a gateway that holds the bank's answers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from urllib.parse import urlsplit

import pytest
import requests
from django.db import connection

from tests.automation.conftest import (  # noqa: F401  # fixtures
    alice,
    bank,
    calm,
    let_time_pass,
    moved,
    orders,
    sandbox,
    topup,
    workspace,
)


class Gateway:
    """Stands before the bank. `hold` names the method whose exchange it interrupts."""

    def __init__(self, bank_url: str) -> None:
        self.bank = bank_url
        self.hold: tuple[str, str] | None = None  # (method, "before" or "after")
        self.held = Event()
        self.over = Event()
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def pass_on(self) -> None:
                gateway.exchange(self)

            do_GET = do_PUT = do_POST = pass_on

            def log_message(self, *args) -> None:
                """Stay silent."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        Thread(target=self.server.serve_forever, daemon=True).start()

    def exchange(self, asked: BaseHTTPRequestHandler) -> None:
        body = asked.rfile.read(int(asked.headers.get("Content-Length") or 0))
        where = self.hold[1] if self.hold and self.hold[0] == asked.command else ""
        if where == "before":
            return self.keep(asked)
        answer = requests.request(
            asked.command,
            self.bank + asked.path,
            data=body,
            headers=dict(asked.headers),
            timeout=10,
        )
        if where == "after":
            return self.keep(asked)
        asked.send_response(answer.status_code)
        asked.send_header("Content-Type", answer.headers["Content-Type"])
        asked.send_header("Content-Length", str(len(answer.content)))
        asked.end_headers()
        asked.wfile.write(answer.content)
        return None

    def keep(self, asked: BaseHTTPRequestHandler) -> None:
        """Hold the worker until it is dead."""
        self.hold = None
        self.held.set()
        self.over.wait(30)
        asked.close_connection = True

    def close(self) -> None:
        self.over.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def gateway(sandbox, settings) -> Iterator[Gateway]:  # noqa: F811
    gateway = Gateway(sandbox.url)
    settings.PROVIDER_URLS = {
        slug: {key: gateway.url + urlsplit(url).path for key, url in hosts.items()}
        for slug, hosts in settings.PROVIDER_URLS.items()
    }
    yield gateway
    gateway.close()


@pytest.fixture
def worker_environment(settings) -> dict[str, str]:
    """Return what leads a process to the tests' database, keys and bank."""
    url = urlsplit(os.environ["DATABASE_URL"])
    database = url._replace(path="/" + connection.settings_dict["NAME"])
    return os.environ | {
        "DATABASE_URL": database.geturl(),
        "DJANGO_SETTINGS_MODULE": "balsync_project.test_settings",
        "BALSYNC_PROVIDER_URLS": json.dumps(settings.PROVIDER_URLS),
        "BALSYNC_INSTALLATION_ID": str(settings.INSTALLATION_ID),
        "CREDENTIAL_KEYS": ",".join(settings.CREDENTIAL_KEYS),
        "SECRET_KEY": settings.SECRET_KEY,
    }


@pytest.fixture
def worker(worker_environment, settings) -> Iterator[Callable[..., subprocess.Popen]]:
    """Start a worker process on the tests' database, keys and bank."""
    started: list[subprocess.Popen] = []

    def start(*arguments: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "tests.crash.worker", *arguments]
        process = subprocess.Popen(
            command, env=worker_environment, cwd=settings.BASE_DIR
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait(10)
