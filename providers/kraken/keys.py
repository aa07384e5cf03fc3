"""What `GetApiKeyInfo` says a key may do."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from providers.base import Permissions

# Named so in the documentation's example, or by the same rule; see docs/providers.md.
READ, TRADE, WITHDRAW = "query-funds", "modify-trades", "withdraw-funds"
WANTED: Final[Mapping[str, str]] = {
    READ: "balances cannot be read",
    "query-open-trades": "open orders and positions cannot be read",
    "query-closed-trades": "closed orders and trades cannot be read",
}


def permissions_of(result: Any) -> Permissions:
    """Return what a key may do; it is not told whether it may move money inside."""
    granted, addresses = result["permissions"], result["ipAllowlist"]
    for texts in (granted, addresses):
        if not isinstance(texts, list) or not all(isinstance(t, str) for t in texts):
            raise TypeError("A list of texts was expected")
    return Permissions(
        read=READ in granted,
        trade=TRADE in granted,
        withdraw=WITHDRAW in granted,
        only_from_some_addresses=bool(addresses),
        notes=[*_missing(granted), *_ends(result)],
    )


def _missing(granted: Collection[str]) -> Iterator[str]:
    for name, meaning in WANTED.items():
        if name not in granted:
            yield f"The permission {name} is missing: {meaning}."


def _ends(result: Mapping[str, Any]) -> Iterator[str]:
    """Yield when the key ends, and which part of the history it may read."""
    if ends := _moment(result["validUntil"]):
        yield f"The key ends at {ends:%Y-%m-%d %H:%M} UTC."
    if begins := _moment(result["queryFrom"]):
        yield f"The key reads no history before {begins:%Y-%m-%d %H:%M} UTC."
    if stops := _moment(result["queryTo"]):
        yield f"The key reads no history after {stops:%Y-%m-%d %H:%M} UTC."


def _moment(text: Any) -> datetime | None:
    """Return a moment in seconds since 1970; "0" means that there is none."""
    seconds = int(text) if isinstance(text, str) and text.isascii() else -1
    if seconds < 0:
        raise ValueError(f"{text!r:.60} is no moment")
    return datetime.fromtimestamp(seconds, UTC) if seconds else None
