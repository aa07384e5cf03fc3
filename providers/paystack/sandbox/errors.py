"""How Paystack says no. Words marked (?) are not documented; others have seen them."""

from __future__ import annotations

from typing import Any, Final

from providers.sandbox.wire import Answer, Declined

KEY: Final = "Invalid key"
REFUSALS: Final = {
    "authentication_failed": (401, KEY),
    "consent_needed": (403, "Your IP address is not allowed to make this call"),  # (?)
    "rate_limited": (429, "Too many requests"),  # (?)
    "unavailable": (503, "Service unavailable"),  # (?)
}


def body(message: str) -> dict[str, Any]:
    """Return an error in its short form, as the OpenAPI shows 401 and 404."""
    return {"status": False, "message": message}


def no(status: int, message: str) -> Declined:
    return Declined(status, body(message))


def bad(message: str, next_step: str, code: str = "invalid_params") -> Declined:
    """Return a 400 in the long form, as the documentation shows them."""
    about = {"meta": {"nextStep": next_step}, "type": "validation_error", "code": code}
    return Declined(400, body(message) | about)


def refusal(code: str) -> Answer:
    if code in REFUSALS:
        return no(*REFUSALS[code]).answer
    return bad("Invalid request", "Check the request", code).answer
