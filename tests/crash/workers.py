"""Workers for one task each, and what became of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parents[2]
Place = tuple[str, int]  # a point's label, and which of those that bear it
PATIENCE = 90  # seconds for one worker: far beyond any call's deadline


@dataclass(frozen=True, slots=True)
class Worked:
    """How a worker ended: `status` as of `waitpid`, and the points it passed."""

    pid: int
    status: int
    told: list[str]

    @property
    def stopped(self) -> bool:
        return os.WIFSTOPPED(self.status)

    @property
    def killed(self) -> bool:
        return os.WIFSIGNALED(self.status)

    @property
    def points(self) -> list[str]:
        """Return the label of each point it passed."""
        return [line[7:] for line in self.told if line.startswith("passed ")]

    @property
    def struck(self) -> str:
        """Return the point at which the fault struck, or nothing."""
        return next((t[7:] for t in self.told if t.startswith("struck ")), "")

    @property
    def words(self) -> str:
        """Return what it said when it failed."""
        return "\n".join(t for t in self.told if t.startswith("|"))


class Workers:
    """Starts workers one at a time and waits until each has ended or stands still."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._folder = TemporaryDirectory(prefix="workers-")
        self._log = (Path(self._folder.name) / "log").open("a+")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.nursery", self._folder.name],
            env=dict(environment),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,  # a worker that is struck says much
            text=True,
        )
        self._stopped: dict[int, Path] = {}
        self._count = 0
        self.warm = False
        self.labels: dict[tuple[str, str], list[str]] = {}  # by what was carried out

    def work(
        self,
        task: str,
        *args: str | list[str],
        at: Place | None = None,
        fault: str = "kill",
    ) -> Worked:
        """Let a worker carry out one task; at the place `at` the fault strikes it."""
        self._count += 1
        told = Path(self._folder.name) / str(self._count)
        job = {"task": task, "args": args, "at": at, "fault": fault, "told": str(told)}
        return self._ask(job, told)

    def warm_up(self, task: str, *args: str | list[str]) -> None:
        """Carry out one task where workers are forked: the others start warm."""
        self._send({"warm_up": True, "task": task, "args": args})
        self.warm = True

    def go_on(self, worked: Worked) -> Worked:
        """Let a worker that stands still go on, to its end."""
        told = self._stopped.pop(worked.pid)
        return self._ask({"go_on": worked.pid}, told)

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait(PATIENCE)
        self._process.stdout.close()
        self._log.close()
        self._folder.cleanup()

    def _send(self, job: dict[str, Any]) -> list[int]:
        print(json.dumps(job), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            self._log.seek(0)
            raise RuntimeError(f"The nursery has ended: {self._log.read()[-2000:]}")
        return json.loads(answer)

    def _ask(self, job: dict[str, Any], told: Path) -> Worked:
        pid, status = self._send(job)
        worked = Worked(pid, status, told.read_text().splitlines())
        if worked.stopped:
            self._stopped[worked.pid] = told
        else:
            told.unlink()
        return worked
