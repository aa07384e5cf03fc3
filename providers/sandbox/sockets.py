"""WebSockets as an institution sees them, and what can go wrong with their frames."""

from __future__ import annotations

import json
import random
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from .wire import Asked

Hear = Callable[[str], None]
GARBAGE: Final = "<html><body>Bad gateway</body></html>"
ACTIONS: Final = frozenset(
    {
        "frame_drop",
        "frame_duplicate",
        "frame_reorder",
        "frame_freeze",
        "frame_garbage",
        "frame_hang_up",
    }
)


@dataclass(frozen=True, slots=True)
class Frame:
    """What goes out: a text, a ping with its payload, or a close with its code."""

    text: str = ""
    ping: bytes | None = None
    close: int | None = None
    abort: bool = False  # the connection just ends


@dataclass(slots=True)
class FrameFault:
    """One thing that goes wrong with frames, `times` times (None: for ever)."""

    action: str
    path: str = ""  # how the socket's path begins
    value: str = ""  # what the frame contains
    times: int | None = 1
    seconds: float = 0.0
    probability: float = 1.0
    seed: int = 0
    skip: int = 0  # how many matching frames go well first
    _chance: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.action not in ACTIONS:
            raise ValueError(f"No fault is called {self.action!r}: {sorted(ACTIONS)}")
        self._chance = random.Random(self.seed)

    def strikes(self, path: str, text: str) -> bool:
        """Say whether this goes wrong now, and use up one of the times."""
        if self.times == 0 or not path.startswith(self.path) or self.value not in text:
            return False
        if self._chance.random() >= self.probability:
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True


class FramePlan:
    """The frame faults of one institution, tried in the order they were planned."""

    def __init__(self) -> None:
        self.faults: list[FrameFault] = []
        self.struck = Counter[str]()

    def take(self, path: str, text: str) -> FrameFault | None:
        """Return the fault that strikes this frame, if one does."""
        struck = next((f for f in self.faults if f.strikes(path, text)), None)
        if struck is not None:
            self.struck[struck.action] += 1
            if struck.times == 0:
                self.faults.remove(struck)
        return struck


class Talk:
    """One open WebSocket. Whoever holds the institution's lock may speak on it."""

    def __init__(
        self,
        asked: Asked,
        plan: FramePlan,
        clock: Callable[[], float],
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self.asked, self._plan, self._clock, self._wake = asked, plan, clock, wake
        self.facts: dict[str, Any] = {}
        self.opened_at = clock()
        self.pongs: deque[bytes] = deque(maxlen=10)
        self.closed: int | None = None
        self._outgoing: deque[Frame] = deque()
        self._kept: Frame | None = None  # waits for the next one to pass it
        self._frozen_until = 0.0

    @property
    def path(self) -> str:
        return self.asked.path

    @property
    def query(self) -> Any:
        return self.asked.query

    @property
    def headers(self) -> Any:
        return self.asked.headers

    def say(self, body: Any) -> None:
        """Send a text frame, or anything else as JSON, unless a fault strikes it."""
        text = body if isinstance(body, str) else json.dumps(body)
        fault = self._plan.take(self.path, text) if self._plan.faults else None
        self._put(Frame(text), fault)
        self._wake()

    def ping(self, payload: bytes = b"") -> None:
        """Send a ping frame; `pongs` holds the payloads that came back."""
        self._outgoing.append(Frame(ping=payload))
        self._wake()

    def close(self, code: int = 1000) -> None:
        """Close the connection after what was said before."""
        if self.closed is None:
            self.closed = code
            self._outgoing.append(Frame(close=code))
            self._wake()

    def ready(self) -> list[Frame]:
        """Return the frames that may go out now: none while the line is frozen."""
        if self._clock() < self._frozen_until:
            return []
        found = list(self._outgoing)
        self._outgoing.clear()
        return found

    def _put(self, frame: Frame, fault: FrameFault | None) -> None:
        kept, self._kept = self._kept, None
        match fault.action if fault else "":
            case "frame_drop":
                pass
            case "frame_duplicate":
                self._outgoing += [frame, frame]
            case "frame_reorder":
                self._kept = frame
            case "frame_garbage":
                self._outgoing.append(Frame(GARBAGE))
            case "frame_hang_up":
                self._outgoing.append(Frame(abort=True))
            case _:
                if fault is not None:
                    self._frozen_until = self._clock() + fault.seconds
                self._outgoing.append(frame)
        if kept is not None:
            self._outgoing.append(kept)
