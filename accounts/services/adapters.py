"""The provider of a connection, or a named reason why there is none."""

from __future__ import annotations

from accounts.models import Connection
from accounts.sealing import CannotOpen
from providers import Provider
from providers.errors import ProviderError


class UnknownProvider(ProviderError):
    """This installation has no provider of that name."""

    code = "unknown_provider"


class UnreadableCredentials(ProviderError):
    """The stored credentials cannot be opened with the keys of this installation."""

    code = "cannot_open"


def adapter_of(connection: Connection) -> Provider:
    """Return the provider; raises UnknownProvider, UnreadableCredentials."""
    try:
        return connection.adapter
    except LookupError as error:
        raise UnknownProvider(str(error)) from error
    except CannotOpen as error:
        raise UnreadableCredentials from error
