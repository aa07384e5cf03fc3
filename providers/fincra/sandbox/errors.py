"""How Fincra says no. Statuses marked (?) are not documented."""

from __future__ import annotations

from typing import Any, Final

from providers.sandbox.wire import Answer, Declined

ERRORS: Final = {
    "consent_needed": (
        403,
        "ACCESS_DENIED",
        "Business has been blocked. Kindly contact support",
    ),
    "rate_limited": (
        429,
        "TOO_MANY_REQUESTS",
        "The volume of requests sent to the endpoint has exceeded the limit",
    ),
    "unavailable": (
        503,
        "SERVICE_UNAVAILABLE",
        "Error occurred during operation. Please try again later.",
    ),
    "insufficient_funds": (
        422,  # (?)
        "NO_ENOUGH_MONEY_IN_WALLET",
        "You don't have enough money in your wallet to make this payout",
    ),
    "duplicate": (
        422,
        "DUPLICATE_CUSTOMER_REFERENCE",
        "Cannot continue, Duplicate Customer Reference Passed",
    ),
}


def body(kind: str, words: str) -> dict[str, Any]:
    return {"success": False, "error": words, "errorType": kind}


def no(code: str) -> Declined:
    """Return a refusal by its name in `ERRORS`."""
    status, kind, words = ERRORS[code]
    return Declined(status, body(kind, words))


def bad(words: str, kind: str = "UNPROCESSABLE_ENTITY") -> Declined:
    return Declined(422, body(kind, words))


def invalid(words: str) -> Declined:
    """Return what a parameter of the wrong form gets."""
    whole = f"Error occurred during payload validation. {words}"
    return Declined(422, body("VALIDATION_FAILED", whole) | {"errors": [whole]})


def missing(words: str) -> Declined:
    return Declined(404, body("RESOURCE_NOT_FOUND", words))


def gate(words: str = "Invalid authentication credentials") -> Declined:
    """Return the 401 of the gateway in front, which has its own form."""
    number = "209eaf17b5281e175d5c4b6ed0c28e09"
    return Declined(401, {"message": words, "request_id": number})


def refusal(code: str) -> Answer:
    if code == "authentication_failed":
        return gate().answer
    return (no(code) if code in ERRORS else bad("Operation forbidden")).answer
