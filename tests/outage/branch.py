"""One provider's sandbox in a process of its own, to be killed and started again."""

from __future__ import annotations

import json
import os
import sys
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from providers.sandbox import __main__ as sandbox
from providers.sandbox import registry
from providers.sandbox.remote import Remote

# Each is forked from a process that has imported everything: half of the time of an
# outage would be that of starting Python.
FORKS = get_context("forkserver")
FORKS.set_forkserver_preload(
    [sandbox.__name__, *(registry.load(slug).__module__ for slug in registry.slugs())]
)


def play(told: Connection, words: list[str]) -> None:
    """Play a provider in this process; where it listens is told in a line."""
    os.dup2(told.fileno(), sys.stdout.fileno())
    told.close()
    sandbox.main(words)


class Branch:
    """A provider that dies without a word, and comes back where it was with its books."""

    def __init__(self, slug: str, state: Path) -> None:
        self.slug, self.state, self.port = slug, state, 0
        self.open()
        self.remote = Remote(f"http://127.0.0.1:{self.port}", slug)

    def open(self) -> None:
        """Start, and wait until it answers."""
        words = ["--slug", self.slug, "--state", str(self.state)]
        heard, told = FORKS.Pipe(duplex=False)
        self.process = FORKS.Process(
            target=play, args=(told, ["--port", str(self.port), *words]), daemon=True
        )
        self.process.start()
        told.close()
        with heard, open(heard.fileno(), closefd=False) as lines:
            said: dict[str, Any] = json.loads(lines.readline())
        self.port = int(said["ready"].rpartition(":")[2])
        self.hosts = said["hosts"][self.slug]

    def kill(self) -> None:
        """End it as the kernel does: nothing is flushed, nobody is told."""
        self.process.kill()
        self.process.join()
        self.process.close()
