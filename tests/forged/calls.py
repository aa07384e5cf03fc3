"""A call as a server hands it on, and the door at which it knocks: the real application."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from django.core.handlers.wsgi import WSGIHandler

HOST = "127.0.0.1"
# What programs send beside what proves who they are; none of it is signed.
USUAL = (
    ("Host", HOST),
    ("Content-Type", "application/json"),
    ("User-Agent", "institution/1.0"),
    ("Accept", "*/*"),
    ("Accept-Encoding", "gzip, deflate"),
    ("Date", "Sun, 22 Nov 2026 12:00:00 GMT"),
    ("X-Request-Id", "5f0c1c4e-6c3b-4a59-9c53-2d4d5f6b7a80"),
    ("Cookie", "sessionid=0123456789abcdef0123456789abcdef"),
)


@dataclass(frozen=True, slots=True)
class Call:
    """One POST; the path is decoded, texts are of Latin-1 as PEP 3333 has them."""

    path: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    length: str | None = None  # what it says of itself: "" nothing, None the truth

    @property
    def said(self) -> dict[str, str]:
        """The headers by name in lower case; doubled ones are joined, as servers do.

        A line below is one between words: WSGI knows no difference.
        """
        found: dict[str, list[str]] = {}
        for name, value in self.headers:
            found.setdefault(name.lower().replace("_", "-"), []).append(value)
        return {name: ",".join(values) for name, values in found.items()}

    @property
    def read(self) -> bytes:
        """The body as far as the call says that it goes."""
        if self.length is None:
            return self.body
        plain = self.length.isascii() and self.length.isdigit()
        return self.body[: int(self.length)] if plain else b""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, and how many bytes of the body were looked at for it."""

    status: int
    word: str  # what happened, or the code of the problem
    taken: int


class Body(BytesIO):
    """Counts what is read of it."""

    taken = 0

    def read(self, size: int | None = -1) -> bytes:
        told = super().read(size)
        self.taken += len(told)
        return told

    def readline(self, size: int | None = -1) -> bytes:
        told = super().readline(size)
        self.taken += len(told)
        return told


def knock(application: WSGIHandler, call: Call) -> Answer:
    """Hand a call to the application, and return its answer."""
    body, statuses = Body(call.body), []

    def start(status: str, headers: list[tuple[str, str]], *_: Any) -> None:
        statuses.append(int(status[:3]))

    answer = application(environ(call, body), start)
    told = b"".join(answer)
    answer.close()
    return Answer(statuses[-1], word_of(told), body.taken)


def environ(call: Call, body: Body) -> dict[str, Any]:
    """Return what a WSGI server tells of a call (PEP 3333)."""
    told: dict[str, Any] = {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": call.path,
        "QUERY_STRING": "",
        "SERVER_NAME": HOST,
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": HOST,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": body,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    length = str(len(call.body)) if call.length is None else call.length
    if length:
        told["CONTENT_LENGTH"] = length
    for name, value in call.said.items():
        key = name.upper().replace("-", "_")
        told[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value
    return told


def word_of(told: bytes) -> str:
    """Return what an answer says in one word, "" where it is no JSON of ours."""
    try:
        said = json.loads(told)
        return str(said.get("code", said.get("status", "")))
    except (ValueError, AttributeError):
        return ""


Knock = Callable[[Call], Answer]


def without(call: Call, names: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Return the headers of a call but for those called `names`, in lower case."""
    return tuple(pair for pair in call.headers if pair[0].lower() not in set(names))
