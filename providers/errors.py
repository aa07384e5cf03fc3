"""What can go wrong at a provider, named by what the caller must do about it."""

from __future__ import annotations

from typing import ClassVar, Final

# What reading an answer raises where nobody thought of what stands in it.
FAULTS: Final = (
    ArithmeticError,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
)


def words_of(name: str, fault: Exception) -> str:
    """Return what went wrong with an answer of the provider called `name`, for people."""
    return storable(f"{name}: {type(fault).__name__}: {fault}"[:300])


def storable(text: str) -> str:
    """Return words that came from outside without what no database and no log takes.

    JSON may hold half a character (a lone surrogate), or NUL.
    """
    return text.encode("utf-8", "replace").decode().replace("\0", "")


class ProviderError(Exception):
    """The provider did not do what was asked."""

    code: ClassVar[str] = "provider_error"

    def __init__(self, message: str | None = None) -> None:
        super().__init__(storable(message) if message else self.__doc__)


class BadCredentials(ProviderError):
    """What was typed in to connect cannot be used."""

    code = "bad_credentials"


class AddressBarred(BadCredentials):
    """What was typed in leads to where nobody may be asked; nothing was sent."""

    code = "address_barred"


class Unavailable(ProviderError):
    """The provider cannot be reached now; ask again later."""

    code = "unavailable"


class RateLimited(Unavailable):
    """The provider asked us to slow down."""

    code = "rate_limited"

    def __init__(
        self, message: str | None = None, *, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after  # seconds, where the provider named them


class CircuitOpen(Unavailable):
    """The provider failed too often just now; it is left alone for a while."""

    code = "circuit_open"

    def __init__(self, message: str | None = None, *, retry_after: float = 0) -> None:
        super().__init__(message)
        self.retry_after = retry_after  # seconds until the next probe


class TooLate(Unavailable):
    """The moment had passed until which this might be sent; it was not sent."""

    code = "too_late"


class AuthenticationFailed(ProviderError):
    """The credentials were rejected; renew the token once, then ask a person."""

    code = "authentication_failed"


class ConsentNeeded(ProviderError):
    """A person must give consent at the provider before this is allowed."""

    code = "consent_needed"


class Refused(ProviderError):
    """The provider understood the request and said no."""

    code = "refused"


class InsufficientFunds(Refused):
    """There is not enough money at the source."""

    code = "insufficient_funds"


class AccountUnusable(Refused):
    """The account or pot is closed, deleted or locked for this request."""

    code = "account_unusable"


class OutcomeUnknown(ProviderError):
    """The request may have been carried out; repeat it only with the same dedupe id."""

    code = "outcome_unknown"


class UnexpectedResponse(ProviderError):
    """The answer was not in the documented form."""

    code = "unexpected_response"
