"""What Monzo says when it calls us. Source: docs, "Webhooks"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from providers.base import Hint
from providers.errors import UnexpectedResponse
from providers.wire import parse_json


@dataclass(frozen=True, slots=True)
class Hook:
    """One address that Monzo calls."""

    id: str
    url: str


def event_of(body: bytes) -> Hint:
    """Return the event in `body`, named by its kind and its transaction."""
    try:
        told = parse_json(body)
        kind, id = told["type"], told["data"]["id"]
    except (ValueError, LookupError, TypeError) as error:
        raise UnexpectedResponse("This is no event of Monzo") from error
    if not isinstance(kind, str) or not isinstance(id, str) or not id:
        raise UnexpectedResponse("This event of Monzo has no name")
    return Hint(f"{kind}:{id}")


def hooks_of(told: Any) -> Sequence[Hook]:
    """Return the webhooks of an account."""
    return [Hook(str(row["id"]), str(row["url"])) for row in told["webhooks"]]
