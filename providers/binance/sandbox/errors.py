"""How the exchange says no. Source: errors.md; statuses marked (?) are not documented."""

from __future__ import annotations

from typing import Any, Final

from providers.sandbox.wire import Answer, Declined

WAF: Final = b"<html><head><title>403 Forbidden</title></head><body>ERROR</body></html>"
# By the name of our error: status, code, message.
REFUSALS: Final = {
    "insufficient_funds": (
        400,
        -2010,
        "Account has insufficient balance for requested action.",
    ),
    "account_unusable": (400, -2010, "This action is disabled on this account."),
    "refused": (400, -1130, "Data sent for parameter 'x' is not valid."),
    "authentication_failed": (
        401,
        -2015,
        "Invalid API-key, IP, or permissions for action.",
    ),
    "consent_needed": (401, -1002, "You are not authorized to execute this request."),
    "rate_limited": (429, -1003, "Too many requests queued."),
    "unavailable": (
        503,
        -1008,
        "Server is currently overloaded with other requests. "
        "Please try again in a few minutes.",
    ),
    "outcome_unknown": (
        504,  # (?)
        -1007,
        "Timeout waiting for response from backend server. "
        "Send status unknown; execution status unknown.",
    ),
    "maintenance": (503, -1016, "This service is no longer available."),  # (?)
    "bad_signature": (400, -1022, "Signature for this request is not valid."),
    "clock": (
        400,
        -1021,
        "Timestamp for this request is outside of the recvWindow.",
    ),
}


def body(code: int, message: str) -> dict[str, Any]:
    return {"code": code, "msg": message}


def no(code: int, message: str, status: int = 400) -> Declined:
    return Declined(status, body(code, message))


def named(name: str) -> Declined:
    status, code, message = REFUSALS[name]
    return no(code, message, status)


def refusal(name: str) -> Answer:
    """Return the refusal called `name`; "waf" is the firewall's page."""
    if name == "waf":
        return Answer(WAF, 403, content_type="text/html")
    return named(name).answer


def malformed(name: str) -> Declined:
    words = "was not sent, was empty/null, or malformed."
    return no(-1102, f"Mandatory parameter '{name}' {words}")


def invalid(name: str) -> Declined:
    return no(-1130, f"Data sent for parameter '{name}' is not valid.")


def symbol_unknown() -> Declined:
    return no(-1121, "Invalid symbol.")


def unmatched() -> Declined:
    return no(-1128, "Combination of optional parameters invalid.")
