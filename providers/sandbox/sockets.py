"""WebSockets as an institution sees them, and what can go wrong with their frames."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from .chances import Planned, Plans
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
class FrameFault(Planned):
    """One frame that goes wrong; `value` is a text that it contains."""

    value: str = ""

    def __post_init__(self) -> None:
        self.prepare(ACTIONS)

    def strikes(self, path: str, text: str) -> bool:
        """Say whether this goes wrong now, and use up one of the times."""
        return path.startswith(self.path) and self.value in text and self.due()


class FramePlan(Plans[FrameFault]):
    """What goes wrong with the frames of one institution."""

    def take(self, path: str, text: str) -> FrameFault | None:
        """Return the fault that strikes this frame, if one does."""
        return self.first(lambda fault: fault.strikes(path, text))


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
