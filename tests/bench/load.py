"""So many clients that each ask again as soon as they are answered; a process of its own.

Reads from stdin a JSON object with `port`, `clients`, `seconds` and `requests`, texts that
are sent in turn; writes one with `count`, `seconds` and the answers' `p50`, `p99` and `longest` in ms.
"""

from __future__ import annotations

import asyncio
import json
import sys
from itertools import cycle
from time import perf_counter

import uvloop


class Client(asyncio.Protocol):
    """One connection that is kept alive."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.rest = b""

    def connection_made(self, transport) -> None:
        self.transport = transport
        self.ask()

    def ask(self) -> None:
        self.asked = perf_counter()
        self.transport.write(next(self.run.requests))

    def data_received(self, data: bytes) -> None:
        self.rest += data
        head, gap, body = self.rest.partition(b"\r\n\r\n")
        if not gap or not is_whole(head, body):
            return
        self.run.times.append(perf_counter() - self.asked)
        if not head.startswith(b"HTTP/1.1 200"):
            self.run.fail(self.rest)
        self.rest = b""
        if perf_counter() < self.run.until:
            self.ask()
        else:
            self.transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        self.run.gone(error)


class Run:
    """All clients of one measurement."""

    def __init__(self, requests: list[str], clients: int, seconds: float) -> None:
        self.requests = cycle([text.encode() for text in requests])
        self.times: list[float] = []
        self.left = clients
        self.done = asyncio.get_running_loop().create_future()
        self.until = perf_counter() + seconds

    def fail(self, answer: bytes) -> None:
        if not self.done.done():
            self.done.set_exception(RuntimeError(answer[:2000].decode()))

    def gone(self, error: Exception | None) -> None:
        self.left -= 1
        if self.left == 0 and not self.done.done():
            self.done.set_result(None)


def is_whole(head: bytes, body: bytes) -> bool:
    """Say whether all of an answer has come: by its length, or in chunks."""
    _, told, rest = head.lower().partition(b"\r\ncontent-length:")
    if told:
        return len(body) >= int(rest.partition(b"\r\n")[0])
    return body.endswith(b"0\r\n\r\n")


async def load(task: dict) -> dict[str, float]:
    """Ask for as long as `task` says, and return what came of it."""
    loop = asyncio.get_running_loop()
    run, begun = Run(task["requests"], task["clients"], task["seconds"]), perf_counter()
    for _ in range(task["clients"]):
        await loop.create_connection(lambda: Client(run), "127.0.0.1", task["port"])
    await run.done
    seconds, times = perf_counter() - begun, sorted(run.times)
    return {
        "count": len(times),
        "seconds": seconds,
        "p50": times[len(times) // 2] * 1000,
        "p99": times[len(times) * 99 // 100] * 1000,
        "longest": times[-1] * 1000,
    }


if __name__ == "__main__":
    print(json.dumps(uvloop.run(load(json.load(sys.stdin)))))
