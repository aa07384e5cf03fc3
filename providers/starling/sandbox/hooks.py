"""Webhooks of version 2: typed in at the portal, signed with the bank's own key."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
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
from providers.sandbox.hooked import Hooked
from providers.sandbox.institution import Callback
from providers.sandbox.ledger import Entry, Holder

from .feed import Feed, updated

HEADER = "X-Hook-Signature"


class Hooks(Hooked, Feed):
    """The part of the bank that calls."""

    def key_facts(self) -> list[Any]:
        """Return what a new world writes down so that its key outlives a restart."""
        known = self.ledger.topic("keys")
        return [] if "webhooks" in known else [("keys", "webhooks", _made())]

    def public_key(self) -> str:
        """Return the key as the developer portal shows it."""
        public = _loaded(self.hook_key("")).public_key()
        der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return base64.b64encode(der).decode()

    def hook_key(self, name: str) -> str:
        """Return the bank's own key: it signs for everybody with the same."""
        key: str = self.ledger.topic("keys")["webhooks"]
        return key

    def proof(self, name: str, body: bytes, key: str) -> Mapping[str, str]:
        signature = _loaded(key).sign(body, PKCS1v15(), SHA512())
        return {HEADER: base64.b64encode(signature).decode()}

    def sign(self, body: bytes) -> str:
        """Return the signature of a body as its header has it."""
        return self.proof("", body, self.hook_key(""))[HEADER]

    def callbacks(self, entry: Entry) -> Iterator[Callback]:
        """Yield one event for each side of a movement that somebody wants to hear of."""
        holders = self.ledger.topic("holders")
        for name in list(self.ledger.topic("hooks")):
            for end in (entry.source, entry.target):
                place = self.ledger.holders.get(end)
                if place is not None and place.facts["owner"] == holders[name]:
                    yield from self.delivered(name, self._event(place, entry))

    def _event(self, place: Holder, entry: Entry) -> str:
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
        return json.dumps(told)

    # -- what people do

    def hook(self, url: str, customer: str | None = None) -> str:
        """Type an address in at the portal, or take it out; returns the key it shows."""
        super().hook(url, customer)
        return self.public_key()

    def forge_webhook(self, customer: str | None = None) -> None:
        """Let somebody who has no key send the last event, changed a little."""
        name = customer or self.demo_world().name
        url, body = self.ledger.topic("hooks")[name], self.ledger.topic("told")[name]
        forged = json.loads(body) | {"webhookEventUid": self.uid("forged")}
        genuine = self.signed(name, url, body)
        self.outbox.append(replace(genuine, body=json.dumps(forged).encode()))


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
