"""One provider's sandbox in a process of its own, to be killed and started again."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from providers.sandbox.remote import Remote


class Branch:
    """A provider that dies without a word, and comes back where it was with its books."""

    def __init__(self, slug: str, state: Path) -> None:
        self.slug, self.state, self.port = slug, state, 0
        self.open()
        self.remote = Remote(f"http://127.0.0.1:{self.port}", slug)

    def open(self) -> None:
        """Start, and wait until it answers."""
        asked = ["--slug", self.slug, "--state", str(self.state)]
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "providers.sandbox",
                "--port",
                str(self.port),
                *asked,
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        said: dict[str, Any] = json.loads(self.process.stdout.readline())
        self.port = int(said["ready"].rpartition(":")[2])
        self.hosts = said["hosts"][self.slug]

    def kill(self) -> None:
        """End it as the kernel does: nothing is flushed, nobody is told."""
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
