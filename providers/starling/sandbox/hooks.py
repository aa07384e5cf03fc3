"""Webhooks of version 2: typed in at the portal, signed with the bank's own key."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA512
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from providers.sandbox import clock
from providers.sandbox.institution import Callback
from providers.sandbox.ledger import Entry, Holder

from .feed import Feed, updated

HEADER = "X-Hook-Signature"


class Hooks(Feed):
    """The part of the bank that calls."""

    def __init__(self, *where: Any) -> None:
        super().__init__(*where)
        self.held_back: list[Callback] = []
        self.last_event = Callback("", b"")

    def key_facts(self) -> list[Any]:
        """Return what a new world writes down so that its key outlives a restart."""
        known = self.ledger.topic("keys")
        return [] if "webhooks" in known else [("keys", "webhooks", _made())]

    def public_key(self) -> str:
        """Return the key as the developer portal shows it."""
        public = _loaded(self.ledger.topic("keys")["webhooks"]).public_key()
        der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return base64.b64encode(der).decode()

    def sign(self, body: bytes) -> str:
        key = _loaded(self.ledger.topic("keys")["webhooks"])
        return base64.b64encode(key.sign(body, PKCS1v15(), SHA512())).decode()

    def callbacks(self, entry: Entry) -> Iterator[Callback]:
        for number, hook in self.ledger.topic("hooks").items():
            for end in (entry.source, entry.target):
                place = self.ledger.holders.get(end)
                if place is None or place.facts["owner"] != hook["holder"]:
                    continue
                callback = self._callback(hook["url"], number, place, entry)
                if self.settings.extra.get("holds_webhooks"):
                    self.held_back.append(callback)
                else:
                    yield callback

    def _callback(self, url: str, number: str, place: Holder, entry: Entry) -> Callback:
        row = self.row(place, entry)
        about = f"event {number} {entry.id} {place.id} {row['status']}"
        told = {
            "webhookEventUid": self.uid(f"{about} {row['updatedAt']}"),
            "webhookType": "FEED_ITEM",
            "eventTimestamp": clock.text(updated(entry)),
            "accountHolderUid": place.facts["owner"],
            "content": {
                **row,
                "accountUid": place.facts.get("parent", place.id),
                "hasAttachment": False,
                "receiptPresent": False,
            },
        }
        body = json.dumps(told).encode()
        self.last_event = Callback(url, body, {HEADER: self.sign(body)})
        return self.last_event

    def reset(self) -> None:
        super().reset()
        self.held_back.clear()

    # -- what people do

    def hook(self, url: str, customer: str | None = None) -> str:
        """Type an address in at the portal; returns the key that the portal shows."""
        name = customer or self.demo_world().name
        holder = self.ledger.topic("holders")[name]
        number = f"{len(self.ledger.topic('hooks')) + 1}"
        self.ledger.put(("hooks", number, {"holder": holder, "url": url}))
        return self.public_key()

    def unhook(self) -> None:
        """Take every address out again."""
        hooks = self.ledger.topic("hooks")
        self.ledger.put(*(("hooks", number, None) for number in hooks))

    def repeat(self, times: int = 5) -> None:
        """Deliver the last event again and again, as after answers that were lost."""
        self.outbox.extend([self.last_event] * times)

    def forge(self) -> None:
        """Let somebody else send the last event, signed with no key of ours."""
        forged = base64.b64encode(bytes(256)).decode()
        self.outbox.append(replace(self.last_event, headers={HEADER: forged}))

    def hold_webhooks(self) -> None:
        """Keep events back, until `release_webhooks` delivers them late."""
        self.settings.extra["holds_webhooks"] = True

    def release_webhooks(self) -> None:
        self.settings.extra["holds_webhooks"] = False
        self.outbox.extend(self.held_back)
        self.held_back.clear()


@cache
def _made() -> str:
    """Return a new key in PEM: one in a process is enough, as each world keeps its own."""
    key = generate_private_key(65537, 2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem.decode()


@cache
def _loaded(pem: str) -> RSAPrivateKey:
    key = load_pem_private_key(pem.encode(), None)
    assert isinstance(key, RSAPrivateKey)
    return key
