"""Webhooks: signed with the secret key, sent to the address typed in at the dashboard."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from providers import hooks
from providers.sandbox import clock
from providers.sandbox.institution import Callback
from providers.sandbox.ledger import Entry

from .ledger import Ledger

LOGO = "https://public-files-paystack-prod.s3.eu-west-1.amazonaws.com/logo.png"


class Webhooks(Ledger):
    """The part of Paystack that calls its customers. Each delivery has the same bytes."""

    def hook(self, url: str, customer: str | None = None) -> None:
        """Let somebody type an address in at the dashboard; an empty one takes it out."""
        name = customer or self.demo_world().name
        self.ledger.put(("hooks", name, url or None))

    def withhold_webhooks(self, on: bool = True) -> None:
        """Let events wait, or let those that waited go out, late, in their order."""
        state = self.ledger.topic("state")
        waiting = [] if on else state.get("waiting", [])
        self.ledger.put(("state", "withheld", on or None), ("state", "waiting", None))
        for name, body in waiting:
            self._post(name, body)

    def resend_webhook(self, customer: str | None = None, times: int = 5) -> None:
        """Deliver the last event again, as after answers that were lost."""
        name = customer or self.demo_world().name
        for _ in range(times):
            self._post(name, self.ledger.topic("last")[name])

    def forge_webhook(self, customer: str | None = None, amount: int = 1) -> None:
        """Let somebody who does not know the key send an event about a charge."""
        name = customer or self.demo_world().name
        wallet = self.wallets(name)[0]
        body = json.dumps({"event": "charge.success", "data": {"id": 1}}).encode()
        signature = hooks.sha512_of(f"not the key of {wallet.id}", body)
        url = self.ledger.topic("hooks")[name]
        self.outbox.append(Callback(url, body, {"x-paystack-signature": signature}))

    def callbacks(self, entry: Entry) -> Iterator[Callback]:
        if entry.facts.get("quiet") or entry.declined:
            return
        for name, about in self.ledger.topic("businesses").items():
            for wallet in {entry.source, entry.target}.intersection(about["accounts"]):
                if entry.effect(wallet) > 0:
                    charged = self._charged(
                        entry, self.ledger.holders[wallet].asset.code
                    )
                    yield from self._calls(name, "charge.success", charged)

    def tell(self, name: str, event: str, data: Mapping[str, Any]) -> None:
        self.outbox.extend(self._calls(name, event, data))

    def _calls(
        self, name: str, event: str, data: Mapping[str, Any]
    ) -> Iterator[Callback]:
        body = json.dumps({"event": event, "data": data}, separators=(",", ":"))
        state = self.ledger.topic("state")
        self.ledger.put(("last", name, body), sync=False)
        if state.get("withheld"):
            waiting = [*state.get("waiting", []), [name, body]]
            self.ledger.put(("state", "waiting", waiting), sync=False)
        elif url := self.ledger.topic("hooks").get(name):
            yield self._signed(name, url, body)

    def _post(self, name: str, body: str) -> None:
        if url := self.ledger.topic("hooks").get(name):
            self.outbox.append(self._signed(name, url, body))

    def _signed(self, name: str, url: str, body: str) -> Callback:
        key = self.ledger.topic("businesses")[name]["key"]
        signature = hooks.sha512_of(key, body.encode())
        return Callback(url, body.encode(), {"x-paystack-signature": signature})

    def _charged(self, entry: Entry, currency: str) -> dict[str, Any]:
        """Return a charge as the documentation shows it."""
        moment = clock.text(entry.moment)
        return {
            "id": int(entry.id) + 900_000_000,
            "domain": "test",
            "status": "success",
            "reference": f"chg{entry.id}",
            "amount": entry.amount,
            "message": None,
            "gateway_response": "Approved by Financial Institution",
            "paid_at": moment,
            "created_at": moment,
            "channel": "card",
            "currency": currency,
            "ip_address": "127.0.0.1",
            "metadata": 0,
            "log": _log(),
            "fees": None,
            "customer": _customer(),
            "authorization": _authorization(),
            "plan": {},
        }

    def told_transfer(
        self, data: Mapping[str, Any], recipient: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return a transfer as its events tell it: the business is an object there."""
        business = {
            "id": data["integration"],
            "is_live": False,
            "business_name": "Sandbox business",
            "logo_path": LOGO,
        }
        told = {k: v for k, v in data.items() if k != "request"}
        whom = {k: v for k, v in recipient.items() if k != "isDeleted"}
        return {
            **told,
            "integration": business,
            "recipient": whom,
            "session": {"provider": None, "id": None},
            "fee_charged": 0,
            "gateway_response": None,
        }


def _log() -> dict[str, Any]:
    return {
        "time_spent": 16,
        "attempts": 1,
        "authentication": "pin",
        "errors": 0,
        "success": False,
        "mobile": False,
        "input": [],
        "channel": None,
        "history": [
            {"type": "action", "message": "Attempted to pay", "time": 15},
        ],
    }


def _customer() -> dict[str, Any]:
    return {
        "id": 68324,
        "first_name": "Ngozi",
        "last_name": "Bàyọ̀",
        "email": "ngozi@example.com",
        "customer_code": "CUS_qo38as2hpsgk2r0",
        "phone": None,
        "metadata": None,
        "risk_action": "default",
    }


def _authorization() -> dict[str, Any]:
    return {
        "authorization_code": "AUTH_f5rnfq9p",
        "bin": "539999",
        "last4": "8877",
        "exp_month": "08",
        "exp_year": "2030",
        "card_type": "mastercard DEBIT",
        "bank": "Guaranty Trust Bank",
        "country_code": "NG",
        "brand": "mastercard",
        "account_name": "Ngozi Bàyọ̀",
    }
