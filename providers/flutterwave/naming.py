"""What a wallet is called for ever, although no balance comes with an account's id.

An id is `realm:business:currency`. In version 3 the business is the merchant's number,
which stays when the key is replaced; version 4 tells nothing of the kind, so there it is
a digest of the client's id, whose secret may be replaced.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

from providers.errors import ProviderError

from .answers import rows_of

Namer = Callable[[str], str]  # of the wallets of one business, by currency
LENGTH = 20  # hexadecimal digits: no two businesses share them


class BusinessUnknown(ProviderError):
    """Flutterwave tells whose wallets these are only from the first transaction on."""

    code: ClassVar[str] = "business_unknown"


def namer(realm: str, business: str) -> Namer:
    return partial("{}:{}:{}".format, realm, business)


def of_client(client_id: str) -> str:
    """Return a name for the business that a client of version 4 is of."""
    return f"client-{hashlib.sha256(client_id.encode()).hexdigest()[:LENGTH]}"


def merchant(body: Any) -> str:
    """Return the number of the merchant whose transactions these are.

    Raises BusinessUnknown unless it is one and the same. Source: v3 "Get all
    transactions", `account_id`; "Get all settlements" has it beside the merchant's name.
    """
    told = {_number(row["account_id"]) for row in rows_of(body)}
    if len(told) != 1:
        raise BusinessUnknown
    return told.pop()


def _number(value: Any) -> str:
    """Return a number that is documented as text in one place and bare in another."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    if type(value) is not int or not 0 < value < 10**15:
        raise ValueError(f"{value!r:.60} is no merchant")
    return str(value)
