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


class Calls(Access):
    """The part that calls whoever typed an address into the dashboard."""

    def __init__(self, *where: Any) -> None:
        super().__init__(*where)
        self.waiting: list[Callback] = []  # webhooks that come later

    def reset(self) -> None:
        super().reset()
        self.waiting.clear()

    def callbacks(self, entry: Entry) -> Iterator[Callback]:
        for end in (entry.source, entry.target):
            if end == OUTSIDE:
                continue
            owner = self.ledger.holders[end].facts["owner"]
            shop = self.ledger.topic("shops")[owner]
            if shop.get("hook"):
                yield self._signed(shop, self._event(shop, end, entry))

    def settle(self, entry: str, **changes: Any) -> None:
        """Make a pending entry final, which is an event of its own."""
        with self.lock:
            super().settle(entry, **changes)
            self._post(self.callbacks(self.ledger.entries[entry]))

    def _event(self, shop: Any, wallet: str, entry: Entry) -> bytes:
        came, asset = entry.target == wallet, self.ledger.holders[wallet].asset
        if shop["version"] == 3:
            return as_json(_older(shop, asset, entry, came=came)).encode()
        told = _newer(asset, entry, came=came)
        told["timestamp"] = int(self.clock.timestamp() * 1000)
        return as_json(told).encode()

    def _signed(self, shop: Any, body: bytes, secret: str = "") -> Callback:
        secret = secret or shop["webhook_hash"]
        if shop["version"] == 3:
            return Callback(shop["hook"], body, {"verif-hash": secret})
        proof = b64encode(hmac.new(secret.encode(), body, sha256).digest()).decode()
        return Callback(shop["hook"], body, {"flutterwave-signature": proof})

    def enter(self, entry: Entry) -> None:
        self.ledger.move(entry)
        self._post(self.callbacks(entry))

    def _post(self, calls: Iterator[Callback]) -> None:
        late = self.settings.extra.get("webhooks_wait")
        copies = int(self.settings.extra.get("webhook_copies", 1))
        for call in calls:
            (self.waiting if late else self.outbox).extend([call] * copies)

    # -- happenings

    def hook(self, name: str, url: str) -> None:
        """Let somebody type an address into the dashboard; "" takes it out again."""
        shop = self.ledger.topic("shops")[name]
        self.ledger.put(("shops", name, {**shop, "hook": url}))

    def resend(self, entry: str, times: int = 5) -> None:
        """Send the webhook of an entry again and again, as retries do."""
        for call in list(self.callbacks(self.ledger.entries[entry])):
            self.outbox.extend([call] * int(times))

    def release(self) -> int:
        """Send the webhooks that were kept back, the newest first, and say how many."""
        sent = len(self.waiting)
        self.outbox.extend(reversed(self.waiting))
        self.waiting.clear()
        return sent

    def forge(self, entry: str, how: str = "secret") -> None:
        """Let somebody else call about an entry, with a wrong secret or none at all."""
        for right in list(self.callbacks(self.ledger.entries[entry])):
            headers = dict(right.headers)
            if how == "unsigned":
                headers.clear()
            elif how == "body":  # version 4 would tell
                right = replace(right, body=right.body.replace(b"1", b"2", 1))
            else:
                headers = {name: "another" for name in headers}
            self.outbox.append(replace(right, headers=headers))


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
