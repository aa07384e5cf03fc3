"""Relays before servers: connections through them can go dead as networks let them.

A process of its own: `python -m tests.chaos.relay orders.sock front.sock back.sock …`.
A line `<number of a relay> <seconds>` at the first socket means: every connection that
is open now stays open and carries nothing more. After so many seconds it is reset, as by
the keep-alive of a kernel; 0 is never. New connections work.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from contextlib import suppress

CHUNK = 65536


class Pair:
    """One client's connection, and ours to the server on its behalf."""

    def __init__(self, *ends: asyncio.StreamWriter) -> None:
        self.ends, self.silent = ends, False

    async def pump(self, source: asyncio.StreamReader, to: asyncio.StreamWriter):
        """Carry bytes until one side ends; while silent they go nowhere."""
        with suppress(OSError):
            while data := await source.read(CHUNK):
                if not self.silent:
                    to.write(data)
                    await to.drain()
        if not self.silent:
            self.reset()

    def reset(self) -> None:
        for end in self.ends:
            end.transport.abort()


class Relay:
    """Listens at one socket, and speaks to the server behind another."""

    def __init__(self, front: str, back: str) -> None:
        self.front, self.back = front, back
        self.pairs: set[Pair] = set()

    async def start(self) -> None:
        await asyncio.start_unix_server(self.accept, self.front)

    async def accept(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            back_reader, back_writer = await asyncio.open_unix_connection(self.back)
        except OSError:
            writer.transport.abort()
            return
        pair = Pair(writer, back_writer)
        self.pairs.add(pair)
        try:
            await asyncio.gather(
                pair.pump(reader, back_writer), pair.pump(back_reader, writer)
            )
        finally:
            pair.reset()
            self.pairs.discard(pair)

    def silence(self, seconds: float) -> int:
        """Let what is open carry nothing more, and return how many that are."""
        silenced = [pair for pair in self.pairs if not pair.silent]
        for pair in silenced:
            pair.silent = True
            if seconds:
                asyncio.get_running_loop().call_later(seconds, pair.reset)
        return len(silenced)


async def main(orders: str, sockets: Sequence[str]) -> None:
    """Relay, and obey, for ever."""
    relays = [Relay(*pair) for pair in zip(sockets[::2], sockets[1::2], strict=True)]
    for relay in relays:
        await relay.start()

    async def obey(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number, seconds = (await reader.readline()).split()
        silenced = relays[int(number)].silence(float(seconds))
        writer.write(b"%d\n" % silenced)
        writer.close()

    await asyncio.start_unix_server(obey, orders)
    await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2:]))
