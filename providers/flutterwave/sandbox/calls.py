"""Webhooks: of version 3 with the secret hash, of version 4 signed with it."""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any, Final

from providers.money import Asset
from providers.sandbox import clock
from providers.sandbox.hooked import Hooked
from providers.sandbox.institution import Callback
from providers.sandbox.ledger import OUTSIDE, Entry
from providers.sandbox.wire import as_json

from .access import Access
from .rows import charge, number, units

# What an entry is said to be: in version 3, and in version 4.
CHARGE: Final = {"pending": "pending", "done": "successful", "failed": "failed"}
PAYOUT: Final = {"pending": "PENDING", "done": "SUCCESSFUL", "failed": "FAILED"}
NEWER: Final = {"pending": "pending", "done": "succeeded", "failed": "failed"}


def state(entry: Entry) -> str:
    if entry.declined:
        return "failed"
    return "done" if entry.settled else "pending"


class Calls(Hooked, Access):
    """The part that calls whoever typed an address into the dashboard."""

    schemes = ({"version": 3}, {"version": 4})

    def proof(self, name: str, body: bytes, key: str) -> Mapping[str, str]:
        """Return what proves a body, by the version of the business."""
        if self.shop(name)["version"] == 3:
            return {"verif-hash": key}
        proof = b64encode(hmac.digest(key.encode(), body, sha256)).decode()
        return {"flutterwave-signature": proof}

    def hook_key(self, name: str) -> str:
        return str(self.shop(name)["webhook_hash"])

    def callbacks(self, entry: Entry) -> Iterator[Callback]:
        """Yield the delivery of an event to each business it is about, unless it waits."""
        for end in (entry.source, entry.target):
            if end == OUTSIDE:
                continue
            owner = self.ledger.holders[end].facts["owner"]
            if owner in self.ledger.topic("hooks"):
                yield from self.delivered(owner, self._event(owner, end, entry))

    def settle(self, entry: str, **changes: Any) -> None:
        """Make a pending entry final, which is an event of its own."""
        with self.lock:
            super().settle(entry, **changes)
            self.outbox.extend(self.callbacks(self.ledger.entries[entry]))

    def _event(self, owner: str, wallet: str, entry: Entry) -> str:
        shop = self.shop(owner)
        came, asset = entry.target == wallet, self.ledger.holders[wallet].asset
        if shop["version"] == 3:
            return as_json(_older(shop, asset, entry, came=came))
        told = _newer(asset, entry, came=came)
        told["timestamp"] = int(self.clock.timestamp() * 1000)
        return as_json(told)

    # -- happenings

    @property
    def withheld(self) -> list[Callback]:
        """What waits to be delivered: the newest will be the first."""
        return super().withheld[::-1]

    def forge_webhook(self, customer: str | None = None, how: str = "secret") -> None:
        """Let somebody else send the last event: with another secret, none, or changed."""
        name = customer or self.demo_world().name
        url, body = self.ledger.topic("hooks")[name], self.ledger.topic("told")[name]
        right = self.signed(name, url, body)
        forged = {
            "secret": self.signed(name, url, body, "another"),
            "unsigned": replace(right, headers={}),
            # The token of version 3 does not cover the body, and tells nothing of this.
            "body": replace(right, body=right.body.replace(b"1", b"2", 1)),
        }
        self.outbox.append(forged[how])


def _older(
    shop: Mapping[str, Any], asset: Asset, entry: Entry, *, came: bool
) -> dict[str, Any]:
    """Return an event as version 3 tells it. Source: v3 docs, "Webhooks"."""
    what = state(entry)
    if came:
        return {
            "event": "charge.completed",
            "data": charge(shop, asset, entry, CHARGE[what]),
            "event.type": "BANK_TRANSFER_TRANSACTION",
        }
    data = {
        "id": number(entry),
        "currency": asset.code,
        "amount": units(asset, entry.amount),
        "reference": entry.id,
        "status": PAYOUT[what],
        "created_at": clock.text(entry.moment),
    }
    return {"event": "transfer.completed", "data": data, "event.type": "Transfer"}


def _newer(asset: Asset, entry: Entry, *, came: bool) -> dict[str, Any]:
    """Return an event as version 4 tells it. Source: v4 docs, "Webhooks"."""
    what = state(entry)
    data = {
        "id": f"{'chg' if came else 'trf'}_{number(entry)}",
        "amount": units(asset, entry.amount),
        "currency": asset.code,
        "reference": entry.id,
        "status": NEWER[what] if came else PAYOUT[what],
    }
    return {
        "webhook_id": f"wbk_{number(entry)}{what}",
        "timestamp": 0,
        "type": "charge.completed" if came else "transfer.disburse",
        "data": data,
    }
