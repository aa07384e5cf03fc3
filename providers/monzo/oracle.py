"""A client written by somebody else, against the sandbox. Runs in an environment of its own.

Takes `{"hosts": …, "customer": …}` as JSON and tells what it saw and did, as JSON.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from typing import Any

from pymonzo import MonzoAPI  # type: ignore[import-not-found]


def run(hosts: dict[str, str], customer: dict[str, Any]) -> dict[str, Any]:
    """Read every account and pot, move money in and out, and read them again."""
    MonzoAPI.api_url = hosts["api"]
    MonzoAPI.token_endpoint = hosts["api"] + "/oauth2/token"
    bank = MonzoAPI(access_token=customer["credentials"]["access_token"])
    first = read(bank)
    account = next(a for a in customer["accounts"] if not a["parent"])["external_id"]
    pot = next(
        a["external_id"]
        for a in customer["accounts"]
        if a["parent"] == account and not a["locked"] and not a["closed"]
    )
    moved = {"amount": 1234, "account_id": account, "dedupe_id": "oracle-in"}
    into = [bank.pots.deposit(pot_id=pot, **moved) for _ in range(2)]
    back = {"amount": 34, "account_id": account, "dedupe_id": "oracle-out"}
    bank.pots.withdraw(pot_id=pot, **back)
    assert into[0].balance == into[1].balance == first[pot] + 1234
    return {
        "client": f"pymonzo {version('pymonzo')}",
        "who": bank.whoami().user_id,
        "balances": {id: str(amount) for id, amount in read(bank).items()},
        "transfers": [
            {
                "dedupe_id": "oracle-in",
                "source": account,
                "target": pot,
                "amount": "1234",
            },
            {
                "dedupe_id": "oracle-out",
                "source": pot,
                "target": account,
                "amount": "34",
            },
        ],
    }


def read(bank: MonzoAPI) -> dict[str, int]:
    """Return what every open current account and every pot in it holds."""
    found: dict[str, int] = {}
    for account in bank.accounts.list(refresh=True):
        if account.closed or not account.type.startswith("uk_retail"):
            continue
        found[account.id] = bank.balance.get(account.id).balance
        pots = bank.pots.list(account.id, refresh=True)
        found |= {pot.id: pot.balance for pot in pots if not pot.deleted}
    return found


if __name__ == "__main__":
    print(json.dumps(run(**json.load(sys.stdin))))
