"""Webhooks: signed with the secret key, sent to the address typed in at the dashboard."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from providers import hooks
from providers.sandbox import clock
from providers.sandbox.institution import Callback
from providers.sandbox.ledger import Entry

from .ledger import Ledger

LOGO = "https://public-files-paystack-prod.s3.eu-west-1.amazonaws.com/logo.png"


class Webhooks(Ledger):
    """The part of Paystack that calls its customers."""

    def proof(self, name: str, body: bytes, key: str) -> Mapping[str, str]:
        return {"x-paystack-signature": hooks.sha512_of(key, body)}

    def hook_key(self, name: str) -> str:
        key: str = self.about(name)["key"]
        return key

    def callbacks(self, entry: Entry) -> Iterator[Callback]:
        if entry.facts.get("quiet") or entry.declined:
            return
        wallet = self.ledger.holders.get(entry.target)
        if wallet is not None:
            charged = self._charged(entry, wallet.asset.code)
            yield from self.calls(wallet.facts["owner"], "charge.success", charged)

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
