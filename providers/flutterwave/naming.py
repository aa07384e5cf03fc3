"""What a wallet is called for ever, although no balance comes with an account's id.

An id is `realm:business:currency`. The business is the merchant's own number where the
API tells it. Where it does not, it is a digest of the key or client that the connection
began with: what is known already keeps its name when that key is replaced.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from providers.base import Place

from .answers import rows_of

Namer = Callable[[str], str]  # of the wallets of one business, by currency
LENGTH = 20  # hexadecimal digits: no two businesses share them


def namer(realm: str, business: str) -> Namer:
    return partial("{}:{}:{}".format, realm, business)


def remembered(realm: str, known: Sequence[Place]) -> str:
    """Return the business that the accounts known before are of; "" where none is."""
    parts = [place.external_id.split(":") for place in known]
    found = {p[1] for p in parts if len(p) == 3 and p[0] == realm}
    return found.pop() if len(found) == 1 else ""


def digest(what: str, text: str) -> str:
    """Return a name for the business that `text`, a key or a client, is of."""
    return f"{what}-{hashlib.sha256(text.encode()).hexdigest()[:LENGTH]}"


def merchant(body: Any) -> str:
    """Return the merchant whose transactions these are; "" unless it is one and the same.

    Source: "Get all transactions", `account_id`; settlements name the merchant by it.
    """
    told = {_number(row.get("account_id")) for row in rows_of(body)}
    return told.pop() if len(told) == 1 else ""


def _number(value: Any) -> str:
    """Return a number that is documented as text in one place and bare in another."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        return value.lstrip("0")
    return str(value) if type(value) is int and value > 0 else ""
