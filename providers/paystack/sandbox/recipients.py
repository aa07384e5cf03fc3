"""Whom transfers go to."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from providers.sandbox import clock
from providers.sandbox.wire import Answer, Asked

from .errors import bad
from .webhooks import Webhooks

KINDS: Final = frozenset({"nuban", "ghipss", "mobile_money", "basa"})
WANTED: Final = ("type", "name", "account_number", "bank_code")
KNOWN: Final = frozenset({*WANTED, "description", "currency", "metadata"})


class Recipients(Webhooks):
    """The part of Paystack that knows where money can go."""

    def make_recipient(self, asked: Asked) -> Answer:
        name = self.business(asked)
        wish = object_of(asked)
        for field in WANTED:
            if not isinstance(wish.get(field), str) or not wish[field]:
                raise bad(
                    f"{field} is required",
                    "Provide all required params",
                    "missing_params",
                )
        if wish["type"] not in KINDS or (unknown := sorted(wish.keys() - KNOWN)):
            raise bad("Invalid recipient", f"Check {unknown or 'type'}")
        integration = self.wallets(name)[0].facts["integration"]
        count = len(self.ledger.topic("recipients"))
        row = recipient(integration, count, clock.text(self.clock.now()), wish)
        kept = {"business": name, "data": row}
        self.ledger.put(("recipients", row["recipient_code"], kept))
        message = "Transfer recipient created successfully"
        told = {"status": True, "message": message, "data": row | {"email": ""}}
        return Answer.of(told, 201)


def recipient(
    integration: int, count: int, moment: str, wish: Mapping[str, str]
) -> dict[str, Any]:
    """Return a recipient as Paystack tells it."""
    code = hashlib.sha256(f"{integration} {count}".encode()).hexdigest()[:15]
    return {
        "active": True,
        "createdAt": moment,
        "currency": wish.get("currency", "NGN"),
        "description": wish.get("description", ""),
        "domain": "test",
        "email": None,
        "id": 56_000_000 + count,
        "integration": integration,
        "metadata": None,
        "name": wish["name"],
        "recipient_code": f"RCP_{code}",
        "type": wish["type"],
        "updatedAt": moment,
        "is_deleted": False,
        "isDeleted": False,
        "details": {
            "authorization_code": None,
            "account_number": wish["account_number"],
            "account_name": None,
            "bank_code": wish["bank_code"],
            "bank_name": "Access Bank",
        },
    }


def object_of(asked: Asked) -> dict[str, Any]:
    """Return the body's fields, in JSON or as a form; raises the 400 of any other."""
    kind = asked.headers.get("content-type", "").partition(";")[0].strip()
    try:
        if kind == "application/json":
            return dict(json.loads(asked.body))
        return dict(asked.form)
    except (ValueError, TypeError) as error:
        raise bad("Invalid body", "Send JSON or a form") from error
