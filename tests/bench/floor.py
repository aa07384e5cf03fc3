"""The floor: a hand-written HTTP client that only fetches and writes in bulk.

It replays requests that the adapter made before, so it neither decides nor checks
anything; nothing that does could be cheaper on this event loop.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import dataclass, field
from typing import Any

import psycopg
import uvloop

IN_FLIGHT = 1000
UPDATE = """
with d as (select * from unnest(%s::uuid[], %s::numeric[]) t(id, total)),
u as (update accounts_balance b set total = d.total, available = d.total,
      as_of = %s, fetched_at = %s from d where b.account_id = d.id)
insert into accounts_balancesnapshot(account_id, total, available, held, as_of, source)
select id, total, total, 0, %s, 'live' from d on conflict do nothing"""


@dataclass
class Work:
    """What one connection asks, and the rows its answers are written to."""

    requests: list[bytes]
    rows: list[tuple[str, int]] = field(default_factory=list)


class Client(asyncio.Protocol):
    """One keep-alive connection with one request in flight."""

    def connection_made(self, transport: Any) -> None:
        self.transport, self.buffer = transport, b""
        self.answer: asyncio.Future[bytes] | None = None

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head = self.buffer.find(b"\r\n\r\n")
        if head < 0:
            return
        at = self.buffer.find(b"Content-Length: ", 0, head) + 16
        length = int(self.buffer[at : self.buffer.find(b"\r", at)])
        if len(self.buffer) >= head + 4 + length and self.answer:
            body = self.buffer[head + 4 : head + 4 + length]
            self.buffer = self.buffer[head + 4 + length :]
            self.answer.set_result(body)

    def ask(self, request: bytes) -> asyncio.Future[bytes]:
        self.answer = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return self.answer


async def fetch(port: int, works: list[Work]) -> None:
    """Send every request, `IN_FLIGHT` connections at a time."""
    loop, queue = asyncio.get_running_loop(), iter(works)

    async def worker() -> None:
        _, client = await loop.create_connection(Client, "127.0.0.1", port)
        for work in queue:
            for request in work.requests:
                json.loads(await client.ask(request))

    await asyncio.gather(*(worker() for _ in range(min(IN_FLIGHT, len(works)))))


def write(dsn: str, works: list[Work]) -> None:
    """Write every balance and snapshot, a thousand rows to a statement."""
    rows = sorted(row for work in works for row in work.rows)
    moment = (
        time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
        + f".{time.time_ns() % 10**9 // 1000:06d}Z"
    )
    with psycopg.connect(dsn, autocommit=True) as connection:
        for start in range(0, len(rows), 1000):
            some = rows[start : start + 1000]
            ids, totals = [r[0] for r in some], [r[1] for r in some]
            connection.execute(UPDATE, (ids, totals, moment, moment, moment))


def main() -> None:
    """Read the work from standard input, do it, print the seconds it took."""
    task = json.load(sys.stdin)
    works = [
        Work([r.encode() for r in w["requests"]], [tuple(r) for r in w["rows"]])
        for w in task["works"]
    ]
    begun, cpu = time.perf_counter(), time.process_time()
    uvloop.run(fetch(task["port"], works))
    write(task["dsn"], works)
    print(
        json.dumps(
            {"seconds": time.perf_counter() - begun, "cpu": time.process_time() - cpu}
        )
    )


if __name__ == "__main__":
    main()
