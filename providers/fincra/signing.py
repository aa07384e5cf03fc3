"""Which texts the signature of a webhook may be of. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Final

from providers.wire import parse_json

VALUE: Final = json.JSONDecoder()
SPACE: Final = re.compile(r"[ \t\n\r]*", re.ASCII)


def signed_texts(body: bytes) -> Sequence[bytes]:
    """Return the texts that may be signed: the body, and the object of event and data.

    Documented is JSON.stringify({event, data}). Written again, 100.0 would become 100
    and an escape a letter: so both values are taken as they stand in the body, which
    JSON.stringify wrote as well. A body of just these two is the same text.
    """
    try:
        text = body.decode()
        whole = parse_json(text)
    except ValueError:
        return [body]
    if not isinstance(whole, dict) or not {"event", "data"} <= whole.keys():
        return [body]
    found = _members(text)
    return [body, f'{{"event":{found["event"]},"data":{found["data"]}}}'.encode()]


def _members(text: str) -> Mapping[str, str]:
    """Return the members of an object, each as it is written; `text` is sound JSON."""
    found: dict[str, str] = {}
    at = _after(text, _after(text, 0) + 1)
    while text[at] != "}":
        key, at = VALUE.raw_decode(text, at)
        start = _after(text, _after(text, at) + 1)
        _, end = VALUE.raw_decode(text, start)
        found[key] = text[start:end]
        at = _after(text, end)
        if text[at] == ",":
            at = _after(text, at + 1)
    return found


def _after(text: str, at: int) -> int:
    """Return the first place from `at` on that is no space."""
    found = SPACE.match(text, at)
    return at if found is None else found.end()
