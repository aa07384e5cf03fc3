"""One process of the tree: how it is started, and what it last said."""

from __future__ import annotations

import os
import signal
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from balsync_project.guard import Guard, signal_group

FIRST_PAUSE, LONGEST_PAUSE, STEADY_AFTER = 0.2, 10.0, 30.0  # seconds
KEPT_LINES = 30
Launch = Callable[[Guard, int], int]  # writes its output to a file, returns its pid


@dataclass(eq=False)
class Child:
    """A process that is started again, with growing pauses, whenever it dies."""

    name: str
    launch: Launch
    stop: signal.Signals = signal.SIGTERM
    log: Path | None = None  # a server's output goes there, others' to us
    restarts: bool = True
    pid: int | None = None
    output: int | None = None
    returncode: int | None = None
    failures: int = 0  # deaths in a row
    due_at: float = 0.0
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT_LINES))
    _started_at: float = 0.0
    _rest: bytes = b""

    def start(self, guard: Guard) -> None:
        """Start the process."""
        self.returncode = None
        self._started_at = time.monotonic()
        if self.log is not None:
            with self.log.open("ab") as log:
                self.pid = self.launch(guard, log.fileno())
            return
        self.output, theirs = os.pipe()
        os.set_blocking(self.output, False)
        try:
            self.pid = self.launch(guard, theirs)
        finally:
            os.close(theirs)

    def read(self) -> list[str]:
        """Return the whole lines that the process has written since."""
        if self.output is None:
            return []
        *whole, self._rest = (self._rest + _available(self.output)).split(b"\n")
        lines = [line.decode(errors="replace").rstrip() for line in whole]
        self.lines.extend(lines)
        return lines

    def has_ended(self) -> bool:
        """Say whether the process is dead but not yet taken away."""
        if self.pid is None:
            return False
        flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self.pid, flags) is not None

    def take_away(self) -> None:
        """Reap the dead process with whatever it left, and plan the next start."""
        if self.pid is None:
            return
        # Its number cannot be anybody else's before it is waited for.
        signal_group(self.pid, signal.SIGKILL)
        _, status = os.waitpid(self.pid, 0)
        self.returncode = os.waitstatus_to_exitcode(status)
        if self.output is not None:
            os.close(self.output)
        self.pid, self.output, self._rest = None, None, b""
        self._plan_next_start()

    def _plan_next_start(self) -> None:
        now = time.monotonic()
        was_steady = now - self._started_at > STEADY_AFTER
        self.failures = 1 if was_steady else self.failures + 1
        pause = FIRST_PAUSE * 2 ** min(self.failures - 1, 10)
        self.due_at = now + min(pause, LONGEST_PAUSE)

    def last_words(self) -> str:
        """Return the end of what the process said."""
        if self.log is not None and self.log.exists():
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-5:])
        return "\n".join(self.lines)


def _available(output: int) -> bytes:
    try:
        return os.read(output, 65536)
    except BlockingIOError:
        return b""
