"""What is done to an installation while it works."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import psutil

from providers.sandbox.remote import Remote
from tests.chaos.installation import Demo
from tests.chaos.stage import Stage

WORKER = "worker-automation"
PAUSE_SECONDS = (4.0, 12.0)  # for which a worker stands still
KEEP_ALIVE = 20.0  # seconds until a kernel gives a silent connection up
CLOCK = (-90, 90)  # seconds by which the bank's clock steps


@dataclass
class Harm:
    """Everything that is done to one installation."""

    stage: Stage
    demo: Demo
    bank: Remote
    chance: random.Random
    later: list[tuple[float, Callable[[], object]]] = field(default_factory=list)

    def events(self) -> dict[str, Callable[[], object]]:
        stage = self.stage
        return {
            "a worker's child killed": self.kill_child,
            "the worker killed": lambda: self.signal(WORKER, signal.SIGKILL),
            "the worker told to stop, then killed": self.stop_then_kill,
            "the worker standing still": self.pause,
            "the sync worker killed": lambda: self.signal(
                "worker-sync", signal.SIGKILL
            ),
            "web killed": lambda: self.signal("web", signal.SIGKILL),
            "a beat killed": lambda: self.signal("beat", signal.SIGKILL),
            "Valkey killed": lambda: stage.kill("valkey", signal.SIGKILL),
            "Valkey emptied": stage.flush,
            "Valkey's connections half-open": lambda: stage.silence("valkey"),
            "PostgreSQL restarted at once": lambda: stage.kill(
                "postgres", signal.SIGQUIT
            ),
            "PostgreSQL's connections half-open": lambda: stage.silence(
                "postgres", KEEP_ALIVE
            ),
            "the bank's clock moved": lambda: self.bank.advance(
                self.chance.uniform(*CLOCK)
            ),
        }

    def signal(self, part: str, number: signal.Signals) -> int | None:
        """Send a signal to a part and its children; return the group that got it."""
        group = self.demo.pids().get(part)
        if group is not None:
            with suppress(ProcessLookupError):
                os.killpg(group, number)
        return group

    def kill_child(self) -> None:
        with suppress(psutil.NoSuchProcess, KeyError, IndexError):
            worker = psutil.Process(self.demo.pids()[WORKER])
            self.chance.choice(worker.children()).kill()

    def stop_then_kill(self) -> None:
        if group := self.signal(WORKER, signal.SIGTERM):
            self._soon(1.5, lambda: self._kill(group, signal.SIGKILL))

    def pause(self) -> None:
        if group := self.signal(WORKER, signal.SIGSTOP):
            seconds = self.chance.uniform(*PAUSE_SECONDS)
            self._soon(seconds, lambda: self._kill(group, signal.SIGCONT))

    def _kill(self, group: int, number: signal.Signals) -> None:
        if group == self.demo.pids().get(WORKER):
            self.signal(WORKER, number)

    def _soon(self, seconds: float, act: Callable[[], object]) -> None:
        self.later.append((time.monotonic() + seconds, act))

    def finish_what_is_due(self, *, everything: bool = False) -> None:
        """Do the second half of what was begun: go on after a pause, kill after TERM."""
        now = time.monotonic()
        due = [act for at, act in self.later if everything or at <= now]
        self.later = [
            (at, act) for at, act in self.later if not everything and at > now
        ]
        for act in due:
            act()
