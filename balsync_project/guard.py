"""The last one out: ends what is left when the process that started it dies.

Runs as a small process of its own (standard library only). Its input is a pipe that
only the starter holds: when that closes, for whatever reason, the starter is gone.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

PATIENCE_SECONDS = 4.0
SET_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of <sys/prctl.h>
LIBC = ctypes.CDLL(None)


class Guard:
    """Starts processes, each with its own group, that never outlive this one."""

    def __init__(self) -> None:
        self._process = self._start()

    def _start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )

    def spawn(
        self,
        command: Sequence[str | Path],
        *,
        death: signal.Signals = signal.SIGKILL,
        environment: Mapping[str, str] | None = None,
        output: IO[Any] | int | None = None,
        folder: Path | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start `command`; it is sent `death` should this process vanish."""
        process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=None if output is None else subprocess.STDOUT,
            env=environment,
            cwd=folder,
            start_new_session=True,
            preexec_fn=_die_with_parent(death),
        )
        self._tell(f"+ {process.pid} {int(death)}")
        return process

    def forget(self, process: subprocess.Popen[bytes]) -> None:
        """Stop watching over a process that has ended."""
        self._tell(f"- {process.pid} 0")

    def remove_at_end(self, folder: Path) -> None:
        """Delete `folder` once this process has ended, however it ends."""
        self._tell(f"rm 0 {folder}")

    def close(self) -> None:
        """End whatever is left now, and wait until that is done."""
        if self._process.stdin:
            with suppress(BrokenPipeError):
                self._process.stdin.close()
        self._process.wait()

    def _tell(self, line: str) -> None:
        if self._process.stdin is None:
            raise RuntimeError("the guard was started without a pipe")
        # A guard that was killed is missed only if this process is killed too, and
        # then each child still has its own death signal.
        with suppress(BrokenPipeError):
            print(line, file=self._process.stdin, flush=True)


def _die_with_parent(death: signal.Signals) -> Callable[[], None]:
    parent = os.getpid()

    def arrange() -> None:
        die_with_parent(death)
        if os.getppid() != parent:
            os._exit(1)

    return arrange


def die_with_parent(death: signal.Signals = signal.SIGKILL) -> None:
    """Ask the kernel to send `death` here when the parent dies (Linux only)."""
    if hasattr(LIBC, "prctl"):
        LIBC.prctl(SET_DEATH_SIGNAL, int(death))


def end_groups(groups: Mapping[int, int], patience: float = PATIENCE_SECONDS) -> None:
    """Send each process group its signal, and SIGKILL to what stays."""
    for group, number in groups.items():
        signal_group(group, number)
    left = set(groups)
    until = time.monotonic() + patience
    while left and time.monotonic() < until:
        time.sleep(0.05)
        left = set(filter(alive, left))
    for group in left:
        signal_group(group, signal.SIGKILL)


def signal_group(group: int, number: int) -> None:
    """Send a signal to a process group, if there is one left."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def alive(group: int) -> bool:
    """Say whether any process of a group still runs."""
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def watch(orders: IO[str]) -> None:
    """Follow the starter's orders until the pipe closes, then end what is left."""
    groups: dict[int, int] = {}
    folders: list[str] = []
    for line in orders:
        verb, group, rest = line.rstrip("\n").split(" ", 2)
        if verb == "+":
            groups[int(group)] = int(rest)
        elif verb == "-":
            groups.pop(int(group), None)
        else:
            folders.append(rest)
    end_groups(groups)
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    watch(sys.stdin)
