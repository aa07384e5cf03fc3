"""How an institution is spoken to: requests with their faults, and WebSockets."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import RLock
from typing import Any, ClassVar

from .clock import Clock
from .faults import ACTIONS, Fault, Plan
from .sockets import FramePlan, Hear, Talk
from .wire import Answer, Asked, Declined, Dropped, Late

Handler = Callable[..., Any]
CONNECT = "(WebSocket)"  # stands for a method in the table of routes


class Speaker(ABC):
    """The part of an institution that listens and answers. It may be called from any thread."""

    mounts: ClassVar[Mapping[str, str]] = {"api": ""}  # host key → path under the slug
    routes: ClassVar[Mapping[tuple[str, str], str]]  # (method, path) → method's name
    # WebSockets: path → name of the method that is given the `Talk` and returns what
    # hears the client's frames; it raises Declined to refuse the connection.
    sockets: ClassVar[Mapping[str, str]] = {}

    def __init__(self, clock: Clock | None = None) -> None:
        self.lock = RLock()
        self.clock = clock or Clock()
        self.plan, self.frames = Plan(), FramePlan()
        self.late: list[tuple[float, Asked]] = []
        self.talks: list[Talk] = []
        self.lag = 0.0
        self.requests = 0
        self.spoken = _compile(self)

    @abstractmethod
    def refusal(self, code: str) -> Answer:
        """Return how this institution says the error called `code`."""

    def reject(self, status: int) -> Answer:
        """Return what is said of a path (404) or a method (405) that is not there."""
        return Answer.of({}, status)

    def connect(
        self, asked: Asked, wake: Callable[[], None] = lambda: None
    ) -> tuple[Talk, Hear] | Answer:
        """Open a WebSocket, or return the answer that refuses it."""
        with self.lock:
            handler, found = self._route(CONNECT, asked.path)
            if handler is None:
                return self.reject(404)
            talk = Talk(asked, self.frames, self.clock.timestamp, wake)
            try:
                hear: Any = handler(talk, **found)
            except Declined as declined:
                return declined.answer
            self.talks.append(talk)
            return talk, hear

    def leave(self, talk: Talk) -> None:
        """Forget a WebSocket that has ended."""
        with self.lock:
            self.talks.remove(talk)

    def beat(self, talk: Talk, now: float) -> None:  # noqa: B027 -- most need none
        """Say or do what is due on an open WebSocket: called a few times a second."""

    def beat_all(self) -> None:
        """Let every open WebSocket have its `beat`."""
        with self.lock:
            now = self.clock.timestamp()
            for talk in list(self.talks):
                if talk.closed is None:
                    self.beat(talk, now)

    def answer(self, asked: Asked) -> Answer:
        """Answer one request; raises Dropped where the connection just ends."""
        with self.lock:
            self.requests += 1
            self._catch_up()
            fault = self.plan.take(asked) if self.plan.faults else None
            return self._speak(asked) if fault is None else self._fail(asked, fault)

    def _fail(self, asked: Asked, fault: Fault) -> Answer:
        if fault.code:
            return self.refusal(fault.code)
        try:
            with self.clock.skewed(
                fault.seconds if fault.action == "clock_skew" else 0
            ):
                self.lag = fault.seconds if fault.action == "read_lag" else 0
                return ACTIONS[fault.action](fault, lambda: self._speak(asked))
        except Late as late:
            due = self.clock.timestamp() + late.seconds
            self.late.append((due, asked))
            if late.status is None:
                raise Dropped from late
            return Answer.of({}, late.status)
        finally:
            self.lag = 0.0

    def _catch_up(self) -> None:
        """Carry out what came late and is due by now: nobody can tell it from then."""
        if not self.late:
            return
        now = self.clock.timestamp()
        due = [asked for moment, asked in self.late if moment <= now]
        self.late = [(moment, asked) for moment, asked in self.late if moment > now]
        for asked in due:
            self._speak(asked)

    def _speak(self, asked: Asked) -> Answer:
        handler, found = self._route(asked.method, asked.path)
        if handler is None:
            return self.reject(405 if found else 404)
        try:
            answer: Answer = handler(asked, **found)
        except Declined as declined:
            return declined.answer
        return answer

    def _route(self, method: str, path: str) -> tuple[Handler | None, dict[str, str]]:
        exact = self.spoken.exact.get((method, path))
        if exact is not None:
            return exact, {}
        other: dict[str, str] = {}
        for verb, pattern, handler in self.spoken.patterns:
            if match := pattern.fullmatch(path):
                if verb == method:
                    return handler, match.groupdict()
                other = {"method": verb}
        return None, other


@dataclass(frozen=True, slots=True)
class Spoken:
    """The routes of an institution, ready to be looked up."""

    exact: Mapping[tuple[str, str], Handler]
    patterns: Sequence[tuple[str, re.Pattern[str], Handler]]


def _compile(speaker: Speaker) -> Spoken:
    sockets = {(CONNECT, path): name for path, name in speaker.sockets.items()}
    routes = {**speaker.routes, **sockets}
    named = {route: getattr(speaker, name) for route, name in routes.items()}
    patterns = [
        (method, re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path)), handler)
        for (method, path), handler in named.items()
    ]
    return Spoken({k: h for k, h in named.items() if "{" not in k[1]}, patterns)
