"""How each side says no. Words marked (?) are not documented and were never seen."""

from __future__ import annotations

from typing import Any, Final

from providers.sandbox.wire import Answer, Declined

# What balsync calls a refusal → status, the words of v3, and type and code of v4.
REFUSALS: Final = {
    "refused": (400, "Invalid request", "REQUEST_NOT_VALID", "10400"),  # (?)
    "authentication_failed": (401, "Authorization required", "UNAUTHORIZED", "10401"),
    "consent_needed": (403, "Access is not permitted", "FORBIDDEN", "10403"),  # (?)
    "not_found": (404, "Cannot find that", "RESOURCE_NOT_FOUND", "10404"),  # (?)
    "rate_limited": (429, "Too many requests", "TOO_MANY_REQUESTS", "10429"),  # (?)
    "unavailable": (500, "", "INTERNAL_SERVER_ERROR", "10500"),  # (?)
}
V4_WORDS: Final = {"authentication_failed": "Unauthorized", "unavailable": "Try later"}
BROKEN: Final = {
    "error_id": "ERRNO796977608T1620310828419",
    "message": "Application error. Please contact support",
    "code": "app_error",
}


def body(speaks: str, code: str, words: str = "") -> tuple[int, dict[str, Any]]:
    """Return status and body of a refusal, as `speaks`, v3 or v4 or idp, words it."""
    status, old, kind, number = REFUSALS[code]
    if speaks == "idp":
        return status, {"error": words or "invalid_request"}
    if speaks == "v3":
        if code == "unavailable":
            return status, BROKEN
        return status, {"status": "error", "message": words or old, "data": None}
    message = words or V4_WORDS.get(code, old)
    error = {"type": kind, "code": number, "message": message}
    return status, {"status": "failed", "error": error}


def no(speaks: str, code: str, words: str = "") -> Declined:
    return Declined(*body(speaks, code, words))


def refusal(speaks: str, code: str) -> Answer:
    status, said = body(speaks, code if code in REFUSALS else "refused")
    return Answer.of(said, status)
