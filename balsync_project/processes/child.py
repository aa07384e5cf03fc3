"""One process of the tree: how it is started, and what it last said."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from balsync_project.embedded import Server
from balsync_project.guard import Guard, signal_group

FIRST_PAUSE, LONGEST_PAUSE, STEADY_AFTER = 0.2, 10.0, 30.0  # seconds
KEPT_LINES = 30


@dataclass
class Child:
    """A process that is started again, with growing pauses, whenever it dies."""

    name: str
    command: Sequence[str | Path]
    environment: Mapping[str, str]
    death: signal.Signals = signal.SIGKILL  # when the supervisor itself was killed
    stop: signal.Signals = signal.SIGTERM
    restarts: bool = True
    log: Path | None = None
    prepare: Callable[[], None] = field(default=lambda: None)
    process: subprocess.Popen[bytes] | None = None
    returncode: int | None = None
    due_at: float = 0.0
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT_LINES))
    failures: int = 0
    _started_at: float = 0.0
    _rest: bytes = b""

    @classmethod
    def of_server(cls, server: Server, environment: Mapping[str, str]) -> Self:
        """Return a child that runs a database server, on its old data each time."""
        return cls(
            name=server.name,
            command=server.command,
            environment=environment,
            death=server.stop_signal,
            stop=server.stop_signal,
            log=server.log,
            prepare=server.prepare,
        )

    def start(self, guard: Guard) -> None:
        """Start the process; a server's output goes to its log, others' to us."""
        self.prepare()
        self.returncode = None
        self._started_at = time.monotonic()
        if self.log is None:
            self.process = self._spawn(guard, subprocess.PIPE)
        else:
            with self.log.open("ab") as log:
                self.process = self._spawn(guard, log.fileno())

    def _spawn(self, guard: Guard, output: int) -> subprocess.Popen[bytes]:
        return guard.spawn(
            self.command,
            death=self.death,
            environment=self.environment,
            output=output,
        )

    def read(self) -> list[str]:
        """Return the whole lines that the process has written since."""
        if self.process is None or self.process.stdout is None:
            return []
        *whole, self._rest = (self._rest + self._available()).split(b"\n")
        lines = [line.decode(errors="replace").rstrip() for line in whole]
        self.lines.extend(lines)
        return lines

    def _available(self) -> bytes:
        if self.process is None or self.process.stdout is None:
            return b""
        handle = self.process.stdout.fileno()
        os.set_blocking(handle, False)
        try:
            return os.read(handle, 65536)
        except BlockingIOError:
            return b""

    def has_ended(self) -> bool:
        """Say whether the process is dead but not yet reaped."""
        if self.process is None:
            return False
        flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self.process.pid, flags) is not None

    def reap(self) -> None:
        """Take the dead process away with whatever it left, and plan the next start."""
        if self.process is None:
            return
        # Its number cannot be anybody else's before it is waited for.
        signal_group(self.process.pid, signal.SIGKILL)
        self.returncode = self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()
        self.process, self._rest = None, b""
        now = time.monotonic()
        self.failures = (
            0 if now - self._started_at > STEADY_AFTER else self.failures + 1
        )
        pause = FIRST_PAUSE * 2 ** min(self.failures, 10)
        self.due_at = now + min(pause, LONGEST_PAUSE)

    def last_words(self) -> str:
        """Return the end of what the process said."""
        if self.log is not None and self.log.exists():
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-5:])
        return "\n".join(self.lines)
