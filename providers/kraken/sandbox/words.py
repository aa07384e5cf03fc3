"""How this Kraken speaks: always with HTTP 200, an error is in the body."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from providers.sandbox.wire import Answer, Declined

REFUSALS = {
    "authentication_failed": "EAPI:Invalid key",
    "consent_needed": "EGeneral:Permission denied",
    "rate_limited": "EAPI:Rate limit exceeded",
    "unavailable": "EService:Unavailable",
    "refused": "EGeneral:Invalid arguments",
    "insufficient_funds": "EOrder:Insufficient funds",
    "invalid_signature": "EAPI:Invalid signature",
    "invalid_nonce": "EAPI:Invalid nonce",
    "lockout": "EGeneral:Temporary lockout",
    "busy": "EService:Busy",
    "deadline_elapsed": "EService:Deadline elapsed",
    "internal_error": "EGeneral:Internal error",
    "cancel_only": "EService:Market in cancel_only mode",
    "post_only": "EService:Market in post_only mode",
    "undocumented": "EQuantum:Entangled",
}


NUMBER: Final = re.compile(r'"@(-?[0-9]+(?:\.[0-9]+)?)"')


def written(body: Any) -> str:
    """Return JSON in which decimals are numbers, with every digit they have."""
    return NUMBER.sub(r"\1", json.dumps(body, default=lambda found: f"@{found:f}"))


def fine(result: Any) -> Answer:
    return Answer.of(written({"error": [], "result": result}).encode())


def sorry(text: str) -> Answer:
    return Answer.of({"error": [text]})


def no(text: str) -> Declined:
    return Declined(200, {"error": [text]})


def bad(name: str) -> Declined:
    return no(f"EGeneral:Invalid arguments:{name}")
