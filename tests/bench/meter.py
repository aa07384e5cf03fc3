"""Wall time and CPU time of process trees."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

import psutil


@dataclass(frozen=True, slots=True)
class Cost:
    """What one contender took: wall seconds, and CPU seconds by group of processes."""

    accounts: int
    seconds: float
    cpu: dict[str, float]

    @property
    def rate(self) -> float:
        return self.accounts / self.seconds

    def cpu_per_1000(self, *groups: str) -> float:
        return sum(self.cpu[g] for g in groups) / self.accounts * 1000


class Meter:
    """Measures what happens between `start` and `stop`, for groups of process trees."""

    def __init__(self, groups: dict[str, Iterable[int]]) -> None:
        self.groups = {name: list(pids) for name, pids in groups.items()}

    def start(self) -> None:
        self.cpu_before = self._cpu()
        self.begun = time.perf_counter()

    def stop(self, accounts: int) -> Cost:
        seconds = time.perf_counter() - self.begun
        after = self._cpu()
        spent = {name: after[name] - self.cpu_before[name] for name in after}
        return Cost(accounts, seconds, spent)

    def _cpu(self) -> dict[str, float]:
        return {name: sum(map(_tree, pids)) for name, pids in self.groups.items()}


def _tree(pid: int) -> float:
    """Return the CPU seconds of a process, its children, and those it has buried."""
    with suppress(psutil.NoSuchProcess):
        top = psutil.Process(pid)
        return sum(map(_own, [top, *top.children(recursive=True)]))
    return 0.0


def _own(process: psutil.Process) -> float:
    with suppress(psutil.NoSuchProcess):
        times = process.cpu_times()
        buried = times.children_user + times.children_system
        return times.user + times.system + buried
    return 0.0


def wait_until(done: Callable[[], bool], *, seconds: float) -> None:
    """Return once `done`; raises TimeoutError."""
    until = time.monotonic() + seconds
    while not done():
        if time.monotonic() > until:
            raise TimeoutError(f"Not done after {seconds} s")
        time.sleep(0.1)
