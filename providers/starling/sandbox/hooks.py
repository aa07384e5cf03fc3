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
        self.withheld: list[Callback] = []
        self.last: dict[str, Callback] = {}  # by customer

    def reset(self) -> None:
        super().reset()
        self.withheld.clear()
        self.last.clear()

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
        """Yield one event for each side of a movement that somebody wants to hear of."""
        holders = self.ledger.topic("holders")
        for name, url in self.ledger.topic("hooks").items():
            for end in (entry.source, entry.target):
                place = self.ledger.holders.get(end)
                if place is None or place.facts["owner"] != holders[name]:
                    continue
                self.last[name] = self._callback(url, place, entry)
                if self.settings.extra.get("withholds"):
                    self.withheld.append(self.last[name])
                else:
                    yield self.last[name]

    def _callback(self, url: str, place: Holder, entry: Entry) -> Callback:
        row = self.row(place, entry)
        about = f"event {entry.id} {place.id} {row['status']} {row['updatedAt']}"
        told = {
            "webhookEventUid": self.uid(about),
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
        return Callback(url, body, {HEADER: self.sign(body)})

    # -- what people do

    def hook(self, url: str, customer: str | None = None) -> str:
        """Type an address in at the portal, or take it out; returns the key it shows."""
        name = customer or self.demo_world().name
        self.ledger.put(("hooks", name, url or None))
        return self.public_key()

    def withhold_webhooks(self, on: bool = True) -> None:
        """Let events wait, or let those that waited go out, late, in their order."""
        extra = {**self.settings.extra, "withholds": on}
        self.configure(extra=extra)
        if not on:
            self.outbox.extend(self.withheld)
            self.withheld.clear()

    def resend_webhook(self, customer: str | None = None, times: int = 5) -> None:
        """Deliver the last event again, as after answers that were lost."""
        name = customer or self.demo_world().name
        self.outbox.extend([self.last[name]] * times)

    def forge_webhook(self, customer: str | None = None) -> None:
        """Let somebody who has no key send the last event, changed a little."""
        name = customer or self.demo_world().name
        forged = json.loads(self.last[name].body) | {
            "webhookEventUid": self.uid("forged")
        }
        body = json.dumps(forged).encode()
        self.outbox.append(replace(self.last[name], body=body))


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
