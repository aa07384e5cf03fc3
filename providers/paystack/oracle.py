"""Paystack's own client, against the sandbox. Runs in an environment of its own.

Takes `{"hosts": …, "customer": …}` as JSON and tells what it saw and did, as JSON.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Any, Final

import paystack  # type: ignore[import-not-found]
from paystack.configuration import Configuration  # type: ignore[import-not-found]
from paystack.exceptions import ApiException  # type: ignore[import-not-found]

REFERENCE: Final = "oracle-0123456789abcdef"


def run(hosts: dict[str, str], customer: dict[str, Any]) -> dict[str, Any]:
    """Read balances and ledger, pay somebody once, and be refused with another key."""
    speak(hosts["api"], customer["credentials"]["secret_key"])
    before, ledger = balances(), entries()
    for account, amount in before.items():
        moved = sum(e["difference"] for e in ledger if account_of(e) == account)
        assert moved == amount
    main = customer["accounts"][0]["external_id"]
    wallet = pay(main, before)
    return {
        "client": f"paystack-sdk {version('paystack-sdk')}",
        "balances": {id: str(amount) for id, amount in balances().items()},
        "entries": {str(e["id"]): str(e["difference"]) for e in entries()},
        "transfers": [wallet],
        "refused": refused(hosts["api"]),
    }


def speak(host: str, key: str) -> None:
    """Let the client ask at `host` with `key`; it takes both when it is set up."""
    paystack.api_key = key
    settings = Configuration()
    settings.host = host
    Configuration.set_default(settings)


def pay(main: str, before: dict[str, int]) -> dict[str, str]:
    """Send one transfer twice under one reference; it leaves the wallet once."""
    whom = {"type": "nuban", "name": "Ada", "account_number": "01", "bank_code": "058"}
    code = paystack.TransferRecipient.create(**whom).data["recipient_code"]
    wish = {"source": "balance", "amount": 1234, "recipient": code}
    sent = [
        paystack.Transfer.initiate(**wish, reference=REFERENCE).data for _ in range(2)
    ]
    assert sent[0]["id"] == sent[1]["id"]
    assert paystack.Transfer.verify(reference=REFERENCE).data["amount"] == 1234
    assert balances()[main] == before[main] - 1234
    told = {"source": main, "target": "outside", "amount": "1234"}
    return {"dedupe_id": REFERENCE, **told}


def balances() -> dict[str, int]:
    """Return what each currency holds, by the business's number and mode."""
    business = account_of(entries()[0]).rpartition(":")[0]
    found = paystack.Balance.fetch().data
    return {f"{business}:{row['currency']}": row["balance"] for row in found}


def entries() -> list[dict[str, Any]]:
    """Return the whole ledger, three entries a page."""
    found: list[dict[str, Any]] = []
    page = 1
    while rows := paystack.Balance.ledger(per_page=3, page=page).data:
        found += rows
        page += 1
    return found


def account_of(entry: dict[str, Any]) -> str:
    mode = ":test" if entry["domain"] == "test" else ""
    return f"{entry['integration']}{mode}:{entry['currency']}"


def refused(host: str) -> list[str]:
    """Return what was refused: another key, another recipient, too large an amount."""
    found = []
    wish = {"source": "balance", "amount": 10**14, "recipient": "RCP_nobody"}
    asked: dict[str, Callable[[], object]] = {
        "recipient": lambda: paystack.Transfer.initiate(**wish, reference=REFERENCE),
        "transfer": lambda: paystack.Transfer.verify(reference="oracle-nothing-there"),
        "key": lambda: with_another_key(host),
    }
    for name, ask in asked.items():
        try:
            ask()
        except ApiException as error:
            found.append(f"{name} {error.status}")
    return found


def with_another_key(host: str) -> None:
    speak(host, "sk_test_another")
    paystack.Balance.fetch()


if __name__ == "__main__":
    print(json.dumps(run(**json.load(sys.stdin))))
