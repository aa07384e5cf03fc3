"""What the policy asks a driver to do, and how a driver says that it did not work."""

from __future__ import annotations

import os
import re
import socket
import ssl
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime

from providers.wire import Request


@dataclass(slots=True)
class Send:
    """Send a signed request to `url`; the answer must be complete by `deadline` (monotonic)."""

    request: Request
    url: str
    deadline: float
    anybodys: bool  # a person typed the address: it has to be public
    not_after: datetime | None = None  # a connection that stands only then is too late


@dataclass(slots=True)
class Pause:
    """Do nothing for so many seconds."""

    seconds: float


@dataclass(slots=True)
class Consult:
    """Run `work`, which may ask another machine. Its result is wanted only if `wait`."""

    work: Callable[[], object]
    wait: bool = True


@dataclass(slots=True)
class Await:
    """Wait for a turn until `deadline` (monotonic), and say whether it came."""

    turn: Future[None]
    deadline: float


Effect = Send | Pause | Consult | Await


class Failure(Exception):
    """There is no answer. The text may be shown: it holds no address and no secret."""


class NotSent(Failure):
    """Not one byte of the request left this machine."""


class Barred(Failure):
    """The address is none that anybody may have asked; nothing was sent."""


class Lost(Failure):
    """The request may have arrived; its answer did not, or not whole."""


class TooLarge(Failure):
    """The answer is longer than any honest answer."""


CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")


def named(error: BaseException) -> str:
    """Return what went wrong at the bottom, without the address it went wrong at."""
    while inner := error.__cause__ or error.__context__:
        if isinstance(error, TimeoutError):
            break  # below is only how somebody noticed
        error = inner
    match error:
        case ssl.SSLError():  # its number is none of the system's
            reason: str = getattr(error, "reason", None) or "TLS failed"
            return reason.replace("_", " ").lower()
        case socket.gaierror():
            return "its name could not be looked up"
        case TimeoutError():
            return "it took too long"
        case OSError() if error.errno and error.errno > 0:
            return os.strerror(error.errno)
    return CAPITAL.sub(" ", type(error).__name__).lower()
