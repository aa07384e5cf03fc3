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
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, NoReturn

PATIENCE_SECONDS = 4.0
SET_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of <sys/prctl.h>
LIBC = ctypes.CDLL(None)
MANY_FILES = 65536


class Guard:
    """Starts processes, each with its own group, that never outlive this one."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        self._children: set[int] = set()

    def spawn(
        self,
        command: Sequence[str | Path],
        environment: Mapping[str, str],
        *,
        output: int,
        death: signal.Signals = signal.SIGKILL,
    ) -> int:
        """Start a command and return its pid; it is sent `death` should we vanish."""
        words = [str(word) for word in command]
        return self.fork(
            lambda: os.execvpe(words[0], words, dict(environment)),
            output=output,
            death=death,
        )

    def fork(
        self,
        work: Callable[[], object],
        *,
        output: int,
        death: signal.Signals = signal.SIGKILL,
    ) -> int:
        """Run `work` in a copy of this process and return its pid."""
        sys.stdout.flush()
        sys.stderr.flush()
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            _become_child(work, parent, output, death)
        self._children.add(pid)
        self._tell(f"+ {pid} {int(death)}")
        return pid

    def forget(self, pid: int) -> None:
        """Stop watching over a process that has ended."""
        self._children.discard(pid)
        self._tell(f"- {pid} 0")

    def remove_at_end(self, folder: Path) -> None:
        """Delete `folder` once this process has ended, however it ends."""
        self._tell(f"rm 0 {folder}")

    def close(self) -> None:
        """End whatever is left now, and wait until that is done."""
        if self._process.stdin:
            with suppress(BrokenPipeError):
                self._process.stdin.close()
        while self._process.poll() is None:
            # The guard would wait for zombies, which only their parent can bury.
            for pid in self._children:
                with suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)
            time.sleep(0.01)

    def _tell(self, line: str) -> None:
        # A guard that was killed is missed only if this process is killed too, and
        # then each child still has its own death signal.
        with suppress(BrokenPipeError):
            print(line, file=_open(self._process.stdin), flush=True)


def _open(pipe: IO[str] | None) -> IO[str]:
    if pipe is None:
        raise RuntimeError("the guard has no pipe")
    return pipe


def _become_child(
    work: Callable[[], object], parent: int, output: int, death: signal.Signals
) -> NoReturn:
    """Cut the ties to the parent, work, and end without touching what was its own."""
    code = 1
    try:
        os.setsid()
        die_with_parent(death)
        if os.getppid() == parent:
            _give_files(output)
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)
            work()
            code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - the parent's handlers must not see it
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _give_files(output: int) -> None:
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    # The pipe to the guard and the lock of the data folder are the parent's alone.
    os.closerange(3, MANY_FILES)
    sys.stdout = os.fdopen(1, "w", buffering=1, closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, closefd=False)


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
