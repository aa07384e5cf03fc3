"""What Fincra calls its customers about, in the documented words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from providers import hooks
from providers.sandbox import clock
from providers.sandbox.institution import Callback
from providers.sandbox.ledger import Entry, Holder
from providers.wire import parse_json

from . import speech
from .wallets import Wallets


class Telling(Wallets):
    """The part of Fincra that sends webhooks."""

    def proof(self, name: str, body: bytes, key: str) -> Mapping[str, str]:
        return {"signature": hooks.sha512_of(key, body)}

    def hook_key(self, name: str) -> str:
        key: str = self.about(name)["webhook_key"]
        return key

    def signable(self, body: bytes) -> Sequence[bytes]:
        """Return the body, and JSON.stringify({event, data}) of it, as documented."""
        try:
            parse_json(body)  # where it has no one meaning, that is of nothing
            told = json.loads(body)
            part = {"event": told["event"], "data": told["data"]}
        except (ValueError, LookupError, TypeError):
            return [body]
        return [body, speech.written(part).encode("utf-8", "surrogatepass")]

    def written(self, event: str, data: Mapping[str, Any]) -> str:
        return speech.written({"event": event, "data": data})

    def callbacks(self, entry: Entry) -> Iterator[Callback]:
        wallet = self.ledger.holders.get(entry.target)
        if wallet is not None and not entry.declined:
            told = self._collected(entry, wallet)
            yield from self.calls(wallet.facts["owner"], "collection.successful", told)

    def told_payout(self, payout: Mapping[str, Any]) -> dict[str, Any]:
        """Return a payout as the documentation shows its webhook."""
        wallet = self.ledger.holders[payout["wallet"]]
        amount = speech.number(int(payout["amount"]), wallet.asset, self.scale)
        done = payout["status"] == "successful"
        name, account, kind, email = payout["recipient"]
        told = {
            "id": payout["id"],
            "amountCharged": amount,
            "amountReceived": amount,
            "recipient": {
                "name": name,
                "accountNumber": account,
                "type": kind,
                "email": email,
            },
            "fee": 0,
            "rate": 1,
            "paymentScheme": payout["scheme"],
            "paymentDestination": payout["destination"],
            "sourceCurrency": wallet.asset.code,
            "destinationCurrency": wallet.asset.code,
            "status": payout["status"],
            "createdAt": payout["created"],
            "updatedAt": payout["updated"],
            "reference": payout["reference"],
            "customerReference": payout["customerReference"],
            "reason": "Payout was successful" if done else "Wrong beneficiary details",
            "traceId": None,
            "valuedAt": payout["updated"] if done else None,
        }
        if told["customerReference"] is None:
            del told["customerReference"]
        return told

    def _collected(self, entry: Entry, wallet: Holder) -> dict[str, Any]:
        amount = speech.number(entry.amount, wallet.asset, self.scale)
        moment = clock.text(entry.moment)
        return {
            "business": wallet.facts["business"],
            "virtualAccount": "61dc08222d2cc644566c5a59",
            "sourceCurrency": wallet.asset.code,
            "destinationCurrency": wallet.asset.code,
            "sourceAmount": amount,
            "destinationAmount": amount,
            "amountReceived": amount,
            "fee": 0,
            "customerName": entry.facts.get("description") or "Ngozi Bàyọ̀",
            "settlementDestination": "wallet",
            "status": "successful",
            "initiatedAt": moment,
            "createdAt": moment,
            "updatedAt": moment,
            "reference": f"col-{entry.id}",
        }
