"""Event loops: uvloop's where it is installed, which is not everywhere."""

from __future__ import annotations

import asyncio
from importlib import import_module
from importlib.util import find_spec


def new_loop() -> asyncio.AbstractEventLoop:
    """Return a new event loop, the fastest there is."""
    if find_spec("uvloop") is None:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = import_module("uvloop").new_event_loop()
    return loop
