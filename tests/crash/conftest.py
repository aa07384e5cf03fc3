"""Worker processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
from django.db import connection

from tests.automation.conftest import (  # noqa: F401  # fixtures
    alice,
    bank,
    let_time_pass,
    moved,
    sandbox,
    workspace,
)


@pytest.fixture
def worker(sandbox, settings) -> Iterator[Callable[..., subprocess.Popen]]:  # noqa: F811
    """Start a worker process on the tests' database, keys and bank."""
    started: list[subprocess.Popen] = []
    url = urlsplit(os.environ["DATABASE_URL"])
    environment = os.environ | {
        "DATABASE_URL": url._replace(
            path="/" + connection.settings_dict["NAME"]
        ).geturl(),
        "DJANGO_SETTINGS_MODULE": "balsync_project.test_settings",
        "BALSYNC_PROVIDER_URLS": json.dumps(settings.PROVIDER_URLS),
        "BALSYNC_INSTALLATION_ID": str(settings.INSTALLATION_ID),
        "CREDENTIAL_KEYS": ",".join(settings.CREDENTIAL_KEYS),
        "SECRET_KEY": settings.SECRET_KEY,
    }

    def start(*arguments: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "tests.crash.worker", *arguments]
        process = subprocess.Popen(command, env=environment, cwd=settings.BASE_DIR)
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait(10)
