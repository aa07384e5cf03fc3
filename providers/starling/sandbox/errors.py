"""How the bank says no. Words marked (?) are not documented and were never seen."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from providers.sandbox.wire import Answer, Declined

INSUFFICIENT = "INSUFFICIENT_FUNDS"
UNKNOWN_GOAL = "UNKNOWN_SAVINGS_GOAL"
NOT_POSITIVE = "AMOUNT_MUST_BE_POSITIVE"
NOT_ACTIVE = "SAVINGS_GOAL_NOT_ACTIVE"  # (?)
REUSED = "TRANSFER_UID_ALREADY_USED"  # (?)
CURRENCY = "CURRENCY_MISMATCH"  # (?)
NO_ACCOUNT = "UNKNOWN_ACCOUNT"  # (?)
REFUSALS = {
    "insufficient_funds": (400, INSUFFICIENT),
    "account_unusable": (400, UNKNOWN_GOAL),
    "refused": (400, NOT_POSITIVE),
    "unavailable": (503, "Service unavailable"),  # (?)
    "rate_limited": (429, "Too many requests"),  # (?)
}

# What is wrong with a question about consent, by its field.
WRONG = {
    "response_type": ("unsupported_response_type", "must be code"),
    "name": ("access_denied", "Nobody is called that"),
    "code": ("invalid_grant", "Bad authorization code"),
    "redirect_uri": ("invalid_grant", "Another redirect_uri"),
    "refresh_token": ("invalid_grant", "Bad refresh token"),
}


def body(*messages: str) -> dict[str, Any]:
    """Return the list of errors that stands in a 4xx, and may stand in a 200."""
    return {"errors": [{"message": m} for m in messages], "success": False}


def no(status: int, message: str) -> Declined:
    return Declined(status, body(message))


def token(description: str = "Access token is invalid or expired") -> Declined:
    """Return the 401 of a token that is missing, unknown, dead or too old."""
    told = {"error": "invalid_token", "error_description": description}
    return Declined(401, told)


def scope(required: Iterable[str], granted: Iterable[str]) -> Declined:
    """Return the 403 that names what the token would need."""
    need, have = ", ".join(required), ", ".join(granted)
    told = f"Insufficient scope. Required: [{need}]. Granted: [{have}]"
    return Declined(403, {"error": "insufficient_scope", "error_description": told})


def oauth(status: int, error: str, description: str) -> Declined:
    return Declined(status, {"error": error, "error_description": description})


def refusal(code: str) -> Answer:
    if code == "authentication_failed":
        return token().answer
    if code == "consent_needed":
        return scope(["balance:read"], ["account:read"]).answer
    status, message = REFUSALS[code]
    return Answer.of(body(message), status)
