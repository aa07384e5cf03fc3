"""Clients written by others, against the sandbox. Runs in an environment of its own.

Takes `{"hosts": …, "customer": …}` as JSON and tells what they saw and did, as JSON. One is
generated from the bank's own openapi.json and refuses what is not in it; the older one
names its transfers at random, so the other one is asked what became of them.
"""

from __future__ import annotations

import json
import sys
from datetime import datetime, timedelta
from importlib.metadata import version
from typing import Any
from uuid import UUID, uuid5

import httpx  # type: ignore[import-not-found]
import starlingbank  # type: ignore[import-not-found]
from starling_bank import (  # type: ignore[import-not-found]
    CurrencyAndAmount,
    StarlingClient,
)

NAMES = UUID("0b9b5b30-7b39-5c1b-8a3a-2a4f3f2f9a10")


class Diverted(httpx.HTTPTransport):  # type: ignore[misc]
    """Carries to this machine what a client sends to the bank: it speaks HTTPS only."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self.address = httpx.URL(address)

    def handle_request(self, request: Any) -> Any:
        there, path = self.address, self.address.raw_path + request.url.raw_path
        request.url = request.url.copy_with(
            scheme=there.scheme, host=there.host, port=there.port, raw_path=path
        )
        return super().handle_request(request)


def run(hosts: dict[str, str], customer: dict[str, Any]) -> list[dict[str, Any]]:
    """Let one client move money, then the other; each reads what is held."""
    token = customer["credentials"]["access_token"]
    wire = httpx.Client(transport=Diverted(hosts["api"]))
    bank = StarlingClient(access_token=token, httpx_client=wire)
    account = next(
        a for a in bank.accounts.list().accounts if a.account_type == "PRIMARY"
    )
    goal = next(
        a["external_id"]
        for a in customer["accounts"]
        if a["parent"] == account.account_uid and not a["locked"] and not a["closed"]
    )
    before = balances(bank, account)
    old = older(hosts, token, goal)
    seen = balances(bank, account)
    assert seen[goal] == before[goal] + 1200
    assert seen[account.account_uid] == before[account.account_uid] - 1200
    assert {uid: seen[uid] for uid in old["savings"]} == old["savings"]
    return [old, newer(bank, account, goal)]


def older(hosts: dict[str, str], token: str, goal: str) -> dict[str, Any]:
    """Add money to a savings goal and withdraw some; it takes every 200 for a yes."""
    starlingbank.BASE_URL = hosts["api"] + "/api/v2"
    bank = starlingbank.StarlingAccount(token, update=True)
    saved = bank.savings_goals[goal]
    first = saved.total_saved_minor_units
    saved.deposit(1234)
    saved.withdraw(34)
    saved.withdraw(first + 1201)  # one penny too much
    assert saved.total_saved_minor_units == first + 1200
    bank.update_balance_data()
    bank.update_savings_goal_data()
    assert bank.cleared_balance == bank.effective_balance
    goals = bank.savings_goals.values()
    return {
        "client": f"starlingbank {version('starlingbank')}",
        "savings": {saved.uid: saved.total_saved_minor_units for saved in goals},
    }


def newer(bank: Any, account: Any, goal: str) -> dict[str, Any]:
    """Move money under ids of its own, twice each, and find it in the feed."""
    moves = {"oracle-in": ("add_money", 5678), "oracle-out": ("withdraw_money", 78)}
    for name, (how, amount) in moves.items():
        for _ in range(2):
            done = getattr(bank.savings_goals, how)(
                account_uid=account.account_uid,
                savings_goal_uid=goal,
                transfer_uid=str(uuid5(NAMES, name)),
                amount=CurrencyAndAmount(currency="GBP", minor_units=amount),
                reference=name,
            )
            assert done.success, done
            assert done.transfer_uid == str(uuid5(NAMES, name))
    own, ends = account.account_uid, {"oracle-in": 1, "oracle-out": -1}
    items = feed(bank, account)
    for name, way in ends.items():
        (found,) = (i for i in items if i.reference == name)
        assert found.direction == ("OUT" if way == 1 else "IN")
        assert (found.counter_party_uid, found.status) == (goal, "SETTLED")
    held = balances(bank, account)
    return {
        "client": f"starling-bank-sdk {version('starling-bank-sdk')}",
        "who": bank.identity.get_token().account_holder_uid,
        "balances": {uid: str(amount) for uid, amount in held.items()},
        "transfers": [
            {
                "dedupe_id": name,
                "source": own if way == 1 else goal,
                "target": goal if way == 1 else own,
                "amount": str(moves[name][1]),
            }
            for name, way in ends.items()
        ],
    }


def feed(bank: Any, account: Any) -> list[Any]:
    """Return what happened of late, as told by both of the bank's ways to ask."""
    where = {
        "account_uid": account.account_uid,
        "category_uid": account.default_category,
    }
    now = datetime.now().astimezone()
    items = bank.feed.list_between(
        **where,
        min_transaction_timestamp=now - timedelta(hours=1),
        max_transaction_timestamp=now + timedelta(hours=1),
    ).feed_items
    since = bank.feed.list_changes(**where, changes_since=now - timedelta(hours=1))
    assert [i.feed_item_uid for i in items] == [
        i.feed_item_uid for i in since.feed_items
    ]
    return list(items)


def balances(bank: Any, account: Any) -> dict[str, int]:
    """Return what the account and every space in it hold; the totals have to agree."""
    uid = account.account_uid
    told = bank.accounts.get_balance(account_uid=uid)
    spaces = bank.spaces.list(account_uid=uid)
    found = {uid: told.cleared_balance.minor_units}
    found |= {
        s.savings_goal_uid: s.total_saved.minor_units for s in spaces.savings_goals
    }
    found |= {s.space_uid: s.balance.minor_units for s in spaces.spending_spaces}
    assert told.total_cleared_balance.minor_units == sum(found.values())
    return found


if __name__ == "__main__":
    print(json.dumps(run(**json.load(sys.stdin))))
