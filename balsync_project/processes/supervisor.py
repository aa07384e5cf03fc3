"""Keeps children alive until told to stop. One thread: it forks, so it must be."""

from __future__ import annotations

import os
import selectors
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from balsync_project.embedded import EmbeddedServerError
from balsync_project.guard import Guard, signal_group

from .child import Child
from .console import Console
from .installation import write_private_json

TICK = 0.1
STOP_SECONDS = 8.0
QUIET_SECONDS = 2.0
HOPELESS = 3  # deaths in a row, while we wait for it
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StartError(RuntimeError):
    """A part of the tree did not come up; the message holds its last words."""


class Stopped(Exception):
    """Somebody asked the tree to stop."""


class Supervisor:
    """Starts, watches, restarts and stops children, and shows what they say."""

    def __init__(self, console: Console, pids: Path) -> None:
        self.console = console
        self.guard = Guard()
        self.children: list[Child] = []
        self.stopping = False
        self._is_down = False
        self._pids = pids
        self._selector = selectors.DefaultSelector()
        for number in STOPPING:
            signal.signal(number, self._ask_to_stop)

    def _ask_to_stop(self, _number: int, _frame: FrameType | None) -> None:
        self.stopping = True

    def start(self, child: Child) -> None:
        """Start a child and keep it."""
        if child not in self.children:
            self.children.append(child)
        child.start(self.guard)
        if child.output is not None:
            self._selector.register(child.output, selectors.EVENT_READ, child)
        self._tell_pids()

    def tick(self, seconds: float = TICK) -> None:
        """Show what was said, take the dead away, start again what is due."""
        for key, _events in self._selector.select(seconds):
            self._show(key.data)
        if not self._selector.get_map():
            time.sleep(seconds)
        for child in self.children:
            if child.has_ended():
                self._bury(child)
            if self._is_due(child):
                self._start_again(child)

    def _show(self, child: Child) -> None:
        for line in child.read():
            self.console.child(child.name, line)

    def _bury(self, child: Child) -> None:
        pid = child.pid
        if pid is None:
            return
        if child.output is not None:
            self._show(child)
            self._selector.unregister(child.output)
        child.take_away()
        self.guard.forget(pid)
        self._tell_pids()
        if child.restarts and not self.stopping:
            self.console.warn(f"{child.name} ended ({child.returncode}); starting it")

    def _is_due(self, child: Child) -> bool:
        waiting = child.restarts and child.pid is None and not self.stopping
        return waiting and time.monotonic() >= child.due_at

    def _start_again(self, child: Child) -> None:
        try:
            self.start(child)
        except EmbeddedServerError as error:
            self.console.warn(f"{child.name}: {error}")
            child.due_at = time.monotonic() + 1

    def _tell_pids(self) -> None:
        pids = {child.name: child.pid for child in self.children if child.pid}
        write_private_json(self._pids, pids)

    def run(self, child: Child, meanwhile: Callable[[], None] | None = None) -> int:
        """Run one command to its end and return its code; raises Stopped."""
        child.restarts = False
        self.start(child)
        if meanwhile is not None:
            meanwhile()
        self.wait_until(lambda: child.returncode is not None, child.name, 600)
        self.children.remove(child)
        return child.returncode or 0

    def wait_until(
        self, is_done: Callable[[], bool], what: str, seconds: float
    ) -> None:
        """Tick until `is_done`; raises Stopped, or StartError after `seconds`."""
        started = told = time.monotonic()
        while not is_done():
            self.tick()
            if self.stopping:
                raise Stopped
            self._give_up_on_the_hopeless()
            now = time.monotonic()
            if now - told > QUIET_SECONDS:
                told = now
                self.console.say(f"  … {what}, {now - started:.0f} s")
            if now - started > seconds:
                raise StartError(f"{what} took longer than {seconds:.0f} s")

    def _give_up_on_the_hopeless(self) -> None:
        for child in self.children:
            if child.restarts and child.failures > HOPELESS:
                raise StartError(f"{child.name} keeps dying:\n{child.last_words()}")

    def stay(self) -> None:
        """Keep everything running until somebody asks to stop."""
        while not self.stopping:
            self.tick()

    def shut_down(self, *rounds: list[Child]) -> None:
        """Stop children round by round: those who use a server before the server."""
        if self._is_down:
            return
        self.stopping = self._is_down = True
        for children in rounds:
            self._stop([child for child in children if child.pid])
        self.guard.close()

    def _stop(self, children: list[Child]) -> None:
        for child in children:
            if child.pid:
                os.kill(child.pid, child.stop)
        until = time.monotonic() + STOP_SECONDS
        while any(child.pid for child in children) and time.monotonic() < until:
            self.tick(0.02)
        for child in children:
            if child.pid:
                signal_group(child.pid, signal.SIGKILL)
