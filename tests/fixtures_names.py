"""A name server that means what a test wants, in place of the machine's own."""

from __future__ import annotations

import socket
from typing import Any

import pytest


class Names:
    """Each name's answers, in order, and the last one for ever; what was asked for."""

    def __init__(self) -> None:
        self.known: dict[str, list[tuple[str, ...]]] = {}
        self.asked: list[str] = []
        self._others = socket.getaddrinfo

    def means(self, host: str, *answers: tuple[str, ...] | str) -> None:
        """Let `host` have these addresses, or these several ones, each time."""
        self.known[host] = [(a,) if isinstance(a, str) else a for a in answers]

    def look_up(self, host: str, port: int, *about: Any, **more: Any) -> list[Any]:
        """Stand in for `socket.getaddrinfo`."""
        if host not in self.known:
            return self._others(host, port, *about, **more)
        self.asked.append(host)
        answers = self.known[host]
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        return [_row(address, port) for address in found]


def _row(address: str, port: int) -> tuple[Any, ...]:
    kind = socket.SOCK_STREAM, socket.IPPROTO_TCP, ""
    if ":" in address:
        return (socket.AF_INET6, *kind, (address, port, 0, 0))
    return (socket.AF_INET, *kind, (address, port))


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    made = Names()
    monkeypatch.setattr(socket, "getaddrinfo", made.look_up)
    return made
