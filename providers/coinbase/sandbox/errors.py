"""How the exchange says no. Words marked (?) are not documented and were never seen."""

from __future__ import annotations

from typing import Any, Final

from providers.sandbox.wire import Answer, Declined

REFUSALS: Final = {
    "consent_needed": (403, "PERMISSION_DENIED", "Missing required scopes"),
    "rate_limited": (429, "RESOURCE_EXHAUSTED", "Too many requests"),  # (?)
    "unavailable": (503, "UNAVAILABLE", "Service unavailable"),  # (?)
    "refused": (400, "INVALID_ARGUMENT", "Invalid argument"),  # (?)
}


def body(code: str, message: str) -> dict[str, Any]:
    return {"error": code, "error_details": message, "message": message}


def no(code: str, message: str = "") -> Declined:
    """Return a refusal by the name that balsync has for it."""
    status, own, words = REFUSALS[code]
    return Declined(status, body(own, message or words))


def nobody() -> Declined:
    """Return the only answer to a token that proves nothing; it never says why."""
    return Declined(401, b"Unauthorized\n")


def not_found(what: str) -> Declined:
    return Declined(404, body("NOT_FOUND", f"{what} was not found"))


def refusal(code: str) -> Answer:
    if code == "authentication_failed":
        return nobody().answer
    return no(code if code in REFUSALS else "refused").answer
