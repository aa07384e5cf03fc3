"""What the supervisor shows: its own lines, and each child's under its name."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from itertools import cycle

COLOURS = (36, 32, 33, 35, 34, 96, 92, 93)
RED, FAINT = 31, 2


@dataclass
class Console:
    """Prints lines; `quiet` keeps the children's to themselves."""

    quiet: bool = False
    only: str | None = None  # the one child that is shown, bare
    _colours: dict[str, int] = field(default_factory=dict)
    _next: cycle[int] = field(default_factory=lambda: cycle(COLOURS))

    def say(self, line: str) -> None:
        """Print a line of the supervisor's own."""
        print(line, flush=True)

    def warn(self, line: str) -> None:
        """Print a line that a person should read."""
        print(_painted(RED, line, sys.stderr.isatty()), file=sys.stderr, flush=True)

    def child(self, name: str, line: str) -> None:
        """Print a child's line under its name."""
        if self.only is not None:
            if name == self.only:
                self.say(line)
            return
        if self.quiet or not line:
            return
        if name not in self._colours:
            self._colours[name] = next(self._next)
        label = _painted(self._colours[name], f"{name:>17} │", sys.stdout.isatty())
        print(f"{label} {line}", flush=True)


def _painted(colour: int, text: str, is_terminal: bool) -> str:
    if not is_terminal or "NO_COLOR" in os.environ:
        return text
    return f"\x1b[{colour}m{text}\x1b[0m"
