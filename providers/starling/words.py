"""What Starling's words for a no mean. Three are observed; the endings are not documented."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from providers.errors import (
    AccountUnusable,
    AuthenticationFailed,
    ConsentNeeded,
    InsufficientFunds,
    OutcomeUnknown,
    ProviderError,
    Refused,
)
from providers.wire import Response

# Of the `message` of an error. AMOUNT_MUST_BE_POSITIVE and all others are a plain no.
MESSAGES: Final[Sequence[tuple[re.Pattern[str], type[ProviderError]]]] = (
    # It may be this very transfer that was there already.
    (re.compile(r"ALREADY|DUPLICATE|EXISTS|IDEMPOTEN|CONFLICT"), OutcomeUnknown),
    (re.compile(r"INSUFFICIENT_(AVAILABLE_)?(FUNDS|BALANCE)"), InsufficientFunds),
    (re.compile(r"UNKNOWN_(SAVINGS_GOAL|SPACE|ACCOUNT)"), AccountUnusable),
    (re.compile(r"(GOAL|SPACE|ACCOUNT)\w*(NOT|CLOSED|ARCHIV|LOCKED)"), AccountUnusable),
)
# Of the `error` of an answer about the token (RFC 6750, 3.1).
TOKENS: Final[dict[str, type[ProviderError]]] = {
    "insufficient_scope": ConsentNeeded,
    "invalid_token": AuthenticationFailed,
}


def meant(bank: str, response: Response) -> ProviderError | None:
    """Return what the words of a 4xx mean, None where there are none we know."""
    try:
        body = response.json()
    except ValueError:
        return None
    if not isinstance(body, dict):
        return None
    word = body.get("error")
    if isinstance(word, str) and word in TOKENS:
        return TOKENS[word](f"{bank}: {_described(word, body)}")
    return refusal(bank, body["errors"]) if body.get("errors") else None


def refusal(bank: str, errors: Any) -> ProviderError:
    """Return the error that the bank's list of `errors` means."""
    words = [word for row in _rows(errors) if (word := _message(row))]
    said = f"{bank}: {', '.join(words) or 'no reason'}"
    for pattern, error in MESSAGES:
        if any(pattern.search(word.upper().replace(" ", "_")) for word in words):
            return error(said)
    return Refused(said)


def _rows(errors: Any) -> Sequence[Any]:
    return errors[:3] if isinstance(errors, list) else []


def _message(row: Any) -> str:
    word = row.get("message") if isinstance(row, dict) else None
    return word[:100] if isinstance(word, str) else ""


def _described(word: str, body: dict[str, Any]) -> str:
    """Return the word, and which scope is missing."""
    about = body.get("error_description")
    missing = re.search(r"Required: \[[\w:, -]{1,100}\]", str(about))
    return f"{word}. {missing[0]}" if missing else word
