"""How the bank says no. Codes marked (?) are not documented and were never seen."""

from __future__ import annotations

from typing import Any

from providers.sandbox.wire import Answer, Declined

REFUSALS = {
    "insufficient_funds": (
        400,
        "bad_request.insufficient_funds",
        "You can't deposit more than your current account balance",
    ),
    "account_unusable": (403, "forbidden.pot_locked", "This pot is locked"),  # (?)
    "refused": (400, "bad_request.bad_param.amount", "must be greater than 0"),
    "authentication_failed": (
        401,
        "unauthorized.bad_access_token.expired",
        "Access token has expired",
    ),
    "consent_needed": (
        403,
        "forbidden.insufficient_permissions",
        "Access forbidden due to insufficient permissions",
    ),
    "rate_limited": (429, "too_many_requests", "Too many requests"),  # (?)
    "unavailable": (504, "timeout", "The request timed out"),  # (?)
}

# What is wrong with a question about consent, by its field.
WRONG = {
    "response_type": (400, "bad_request.bad_param.response_type", "must be code"),
    "name": (400, "bad_request.bad_param.name", "nobody is called that"),
    "code": (401, "unauthorized.bad_authorization_code", "Bad code"),
    "redirect_uri": (401, "unauthorized.bad_authorization_code", "Another redirect"),
    "refresh_token": (401, "unauthorized.bad_refresh_token", "Bad refresh token"),
}


def body(code: str, message: str) -> dict[str, Any]:
    """Return an error as the bank words it; token errors carry OAuth's fields too."""
    found: dict[str, Any] = {"code": code, "message": message, "retryable": {}}
    if code.startswith("unauthorized"):
        found |= {"error": "invalid_token", "error_description": message}
    return found


def no(status: int, code: str, message: str) -> Declined:
    return Declined(status, body(code, message))


def missing(name: str) -> Declined:
    code = f"bad_request.missing_param.{name}"
    return no(400, code, f"The field '{name}' is required")


def bad(name: str, message: str) -> Declined:
    return no(400, f"bad_request.bad_param.{name}", message)


def token(ending: str = "") -> Declined:
    """Return the 401 of a token that is unknown, `.expired` or `.evicted`."""
    words = {"": "Bad access token", ".expired": "Access token has expired"}
    message = words.get(ending, "Access token has been evicted")
    return no(401, f"unauthorized.bad_access_token{ending}", message)


def refusal(code: str) -> Answer:
    status, own, message = REFUSALS[code]
    return Answer.of(body(own, message), status)
