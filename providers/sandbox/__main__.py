"""Run the sandbox: `python -m providers.sandbox --port 9000 --state var/sandbox`."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from providers.drivers.loop import new_loop

from .server import Sandbox


def parse(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m providers.sandbox")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--state", type=Path, help="keeps the books in this folder")
    parser.add_argument(
        "--stir", type=float, metavar="SECONDS", help="let people do something so often"
    )
    parser.add_argument("--latency-ms", type=float, default=0)
    parser.add_argument("--slug", action="append", default=[], help="only these")
    return parser.parse_args(words)


async def run(options: argparse.Namespace) -> None:
    """Answer until SIGTERM or SIGINT; says where in one line of JSON when ready."""
    sandbox = Sandbox(options.state, *options.slug)
    for institution in sandbox.institutions.values():
        institution.configure(latency=options.latency_ms / 1000)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    runner = await sandbox.start(options.port)
    async with sandbox.at_work():
        print(json.dumps({"ready": sandbox.url, "hosts": sandbox.urls()}), flush=True)
        with stirring(sandbox, options.stir):
            await stop.wait()
    await runner.cleanup()
    sandbox.close()


@contextmanager
def stirring(sandbox: Sandbox, seconds: float | None) -> Iterator[None]:
    """Let something happen at each institution every so many seconds."""

    async def stir() -> None:
        while seconds:
            await asyncio.sleep(seconds)
            for institution in sandbox.institutions.values():
                if institution.customers():
                    institution.stir()

    task = asyncio.create_task(stir())
    try:
        yield
    finally:
        task.cancel()


def main(words: Sequence[str] | None = None) -> None:
    """Play the institutions as `words` say, or as the command line does."""
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(run(parse(words)))


if __name__ == "__main__":
    main()
