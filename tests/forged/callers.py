"""Everybody who is called about by a provider, at an address of ours, with true events."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any
from uuid import UUID

import providers
from accounts import services
from accounts.models import Connection, Workspace
from accounts.services import webhooks
from providers.base import Place, RegistersWebhooks, SendsWebhooks
from providers.money import Asset
from providers.sandbox import inside, registry
from providers.sandbox.hooked import Hooked
from providers.sandbox.institution import Callback, Customer, Institution
from providers.wire import drive

from .calls import HOST, USUAL, Call

ORIGIN = f"http://{HOST}"
EVENTS = 3  # true ones at the beginning
KEPT = 12  # true ones that mutations are made of, at most
PEOPLE = (
    "ada",
    "ben",
)  # of each provider: what is meant for one is no use at the other


@dataclass
class Caller:
    """A connection, its address, and the institution that calls it."""

    label: str
    bank: Institution
    customer: Customer
    connection_id: UUID
    adapter: Any
    path: str
    events: list[Call] = field(default_factory=list)
    number: int = 0

    @property
    def account(self) -> str:
        return self.customer.account.external_id

    def name(self, call: Call) -> str:
        """Return what we call the event of a call that was believed."""
        return self.adapter.hint(call.said, call.read).event_id

    @property
    def proofs(self) -> frozenset[str]:
        """Names of the headers that prove a call, in lower case; none if nothing does."""
        if not isinstance(self.bank, Hooked):
            return frozenset()
        name = self.customer.name
        proof = self.bank.proof(name, b"", self.bank.hook_key(name))
        return frozenset(header.lower() for header in proof)

    def vouches(self, headers: Mapping[str, str], body: bytes) -> bool:
        """Say whether the institution's own scheme has nothing against a call.

        Where it signs nothing, the address is all that protects.
        """
        if not isinstance(self.bank, Hooked):
            return True
        return self.bank.vouches(self.customer.name, headers, body)

    def happen(self) -> Call:
        """Let money come in, and return the call about it, which nobody made yet."""
        self.number += 1
        self.bank.outbox.clear()
        self.bank.pay(self.account, 100 + self.number, description="Ọlá Çelik")
        told = [each for each in self.bank.outbox if each.url == ORIGIN + self.path]
        call = self.call(told[-1])
        self.events = [*self.events, call][-KEPT:]
        return call

    def forged(self) -> Call:
        """Return what somebody sends who does not know the key, else something true."""
        if not isinstance(self.bank, Hooked):
            return self.events[-1]
        self.bank.outbox.clear()
        self.bank.do("forge_webhook", customer=self.customer.name)
        return self.call(self.bank.outbox.pop())

    def signed(self, body: bytes) -> Call:
        """Return a call with any body and its right proof."""
        proof: Mapping[str, str] = {}
        if isinstance(self.bank, Hooked):
            name = self.customer.name
            proof = self.bank.proof(name, body, self.bank.hook_key(name))
        return self.call(Callback(ORIGIN + self.path, body, proof))

    def call(self, callback: Callback) -> Call:
        headers = (*USUAL, *callback.headers.items())
        return Call(self.path, headers, callback.body)


def everybody(seed: int) -> list[Caller]:
    """Connect people at each provider that calls, by each scheme it signs with."""
    rng = Random(seed)
    home = Workspace.objects.create(name=f"called {seed} {secrets.token_hex(4)}")
    found = []
    for slug in registry.slugs():
        if not issubclass(providers.load(slug), SendsWebhooks):
            continue
        bank = registry.create(slug)
        for scheme in bank.schemes if isinstance(bank, Hooked) else ({},):
            words = "".join(f" {name} {told}" for name, told in scheme.items())
            names = [f"{name}{words.replace(' ', '-')}" for name in PEOPLE]
            for customer in bank.add_customers(names, **scheme):
                found.append(let_in(home, f"{slug}{words}", bank, customer, rng))
    return found


def let_in(
    home: Workspace, label: str, bank: Institution, customer: Customer, rng: Random
) -> Caller:
    """Connect somebody, and let the institution know the address."""
    secret = "".join(rng.choices("abcdefghijklmnopqrstuvwxyz0123456789-_", k=43))
    connection = services.connect(
        home, bank.slug, customer.credentials, label=customer.name
    )
    Connection.objects.filter(pk=connection.pk).update(
        webhook_digest=webhooks.digest(secret)
    )
    path = f"/webhooks/{bank.slug}/{secret}/"
    caller = Caller(label, bank, customer, connection.pk, connection.adapter, path)
    if isinstance(bank, Hooked):
        bank.do("hook", url=ORIGIN + path, customer=customer.name)
    else:
        register(connection.adapter, caller)
    for _ in range(EVENTS):
        caller.happen()
    return caller


def register(adapter: Any, caller: Caller) -> None:
    """Tell an institution of an address in its own way; raises TypeError without one."""
    if not isinstance(adapter, RegistersWebhooks):
        raise TypeError(f"Nobody can tell {caller.label} of an address")
    held = caller.customer.account
    place = Place(held.external_id, held.kind, asset=Asset.parse(held.asset))
    told = adapter.listen(place, ORIGIN + caller.path, ours=f"{ORIGIN}/webhooks/")
    drive(told, inside.sender(adapter, caller.bank))
