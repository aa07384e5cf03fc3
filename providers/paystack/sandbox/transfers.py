"""Transfers out: money leaves when one is queued, and comes back if it fails."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from providers.sandbox import clock
from providers.sandbox.ledger import OUTSIDE, Entry
from providers.sandbox.wire import Answer, Asked

from .errors import bad, no
from .recipients import Recipients, object_of

REFERENCE: Final = re.compile(r"[a-z0-9_-]{16,50}", re.ASCII)
DIGITS: Final = re.compile(r"[0-9]{1,16}", re.ASCII)
WANTED: Final = ("source", "amount", "recipient", "reference")
KNOWN: Final = frozenset({*WANTED, "reason", "currency"})
CURRENCIES: Final = frozenset({"NGN", "ZAR", "KES", "GHS"})
CONCLUDED: Final = frozenset(
    {"success", "failed", "reversed", "abandoned", "blocked", "rejected"}
)
RETURNED: Final = CONCLUDED - {"success"}


class Transfers(Recipients):
    """The part of Paystack that pays out; an adapter of balsync never asks it to."""

    def queue_transfer(self, asked: Asked) -> Answer:
        """Take money out, once for one reference while that is not concluded."""
        name = self.business(asked)
        wish = _wish(asked)
        recipient = self.ledger.topic("recipients").get(wish["recipient"])
        if recipient is None or recipient["business"] != name:
            raise bad(
                "Recipient specified is invalid",
                "Provide a valid recipient. Ensure you are passing the recipient code "
                "in the recipient param",
                "invalid_transfer_recipient",
            )
        known = self.ledger.topic("transfers").get(wish["reference"])
        if known is not None:
            return self._again(name, known)
        return Answer.of(_queued(self._send(name, wish, recipient)))

    def _again(self, name: str, known: Mapping[str, Any]) -> Answer:
        if known["business"] != name or known["data"]["status"] in CONCLUDED:
            raise bad(
                "Please provide a unique reference. Reference already exists on a "
                "transfer",  # (?)
                "Provide a unique reference to continue",
                "duplicate_transfer_reference",
            )
        return Answer.of(_queued(known))

    def _send(
        self, name: str, wish: Mapping[str, Any], recipient: Mapping[str, Any]
    ) -> dict[str, Any]:
        currency = wish.get("currency", "NGN")
        wallets = [w for w in self.wallets(name) if w.asset.code == currency]
        if not wallets or self.ledger.balance(wallets[0].id) < wish["amount"]:
            raise bad(
                "Your balance is not enough to fulfil this request",  # (?)
                "Top up your balance to continue",
                "insufficient_balance",
            )
        number = 860_700_000 + len(self.ledger.topic("transfers"))
        moment = clock.text(self.clock.now().replace(microsecond=0))
        transfer = {
            "business": name,
            "wallet": wallets[0].id,
            "recipient": recipient["data"],
            "data": {
                "amount": wish["amount"],
                "createdAt": moment,
                "currency": currency,
                "domain": "test",
                "failures": None,
                "id": number,
                "integration": wallets[0].facts["integration"],
                "reason": wish.get("reason", ""),
                "reference": wish["reference"],
                "source": "balance",
                "source_details": None,
                "status": "pending",
                "titan_code": None,
                "transfer_code": f"TRF_{number:016d}",
                "request": number + 200_000_000,
                "transferred_at": None,
                "updatedAt": moment,
            },
        }
        self._keep(transfer)
        self._move(transfer, out=True)
        return transfer

    def conclude(self, reference: str, status: str = "success") -> None:
        """Let a transfer end; unless it is a success, the money comes back."""
        known = self.ledger.topic("transfers")[reference]
        if status not in CONCLUDED or known["data"]["status"] in CONCLUDED:
            raise ValueError(f"{reference} cannot become {status}")
        ended = clock.text(self.clock.now().replace(microsecond=0))
        data = {**known["data"], "status": status, "updatedAt": ended}
        transfer = {**known, "data": data}
        self._keep(transfer)
        if status in RETURNED:
            self._move(transfer, out=False)
        if status in ("success", "failed", "reversed"):
            told = self.told_transfer(data, transfer["recipient"])
            self.tell(transfer["business"], f"transfer.{status}", told)

    def verify_transfer(self, asked: Asked, reference: str) -> Answer:
        name = self.business(asked)
        known = self.ledger.topic("transfers").get(reference)
        if known is None or known["business"] != name:
            raise no(404, "Transfer not found")
        whole = {
            **known["data"],
            "recipient": known["recipient"],
            "session": {"provider": None, "id": None},
            "fee_charged": 0,
            "fees_breakdown": None,
            "gateway_response": None,
        }
        return Answer.of(
            {"status": True, "message": "Transfer retrieved", "data": whole}
        )

    def fetch_transfer(self, asked: Asked, code: str) -> Answer:
        self.business(asked)
        transfers = self.ledger.topic("transfers").values()
        found = [t for t in transfers if t["data"]["transfer_code"] == code]
        reference = found[0]["data"]["reference"] if found else ""
        return self.verify_transfer(asked, reference)

    def _keep(self, transfer: Mapping[str, Any]) -> None:
        self.ledger.put(("transfers", transfer["data"]["reference"], transfer))

    def _move(self, transfer: Mapping[str, Any], *, out: bool) -> None:
        data, wallet = transfer["data"], transfer["wallet"]
        self.enter(
            Entry(
                self.entry_id(),
                wallet if out else OUTSIDE,
                OUTSIDE if out else wallet,
                data["amount"],
                self.clock.now(),
                scope=transfer["business"],
                dedupe_id=data["reference"] if out else "",
                facts={
                    "description": data["reason"],
                    "model": "Transfer",
                    "quiet": True,  # its webhook comes when it ends
                },
            )
        )


def _queued(transfer: Mapping[str, Any]) -> dict[str, Any]:
    data = {
        "transfersessionid": [],
        "transfertrials": [],
        **transfer["data"],
        "recipient": transfer["recipient"]["id"],
    }
    return {"status": True, "message": "Transfer has been queued", "data": data}


def _wish(asked: Asked) -> dict[str, Any]:
    """Return the body's fields, in JSON or as a form; raises the 400 of what is wrong."""
    found = _fields(asked)
    for name in WANTED:
        if not found.get(name):
            raise bad(
                f"{name} is required", "Provide all required params", "missing_params"
            )
    if unknown := sorted(found.keys() - KNOWN):
        raise bad(f"{unknown[0]} is not allowed", "Remove it")
    if found["source"] != "balance" or found.get("currency", "NGN") not in CURRENCIES:
        raise bad("Invalid source or currency", "Send from balance, in NGN")
    if type(found["amount"]) is not int or not 0 < found["amount"] < 10**15:
        raise bad("Amount is invalid", "Provide a whole number of minor units")
    if not REFERENCE.fullmatch(str(found["reference"])):
        raise bad("Reference is invalid", "16 to 50 of a-z, 0-9, - and _")
    return found


def _fields(asked: Asked) -> dict[str, Any]:
    """Return the body's fields; a form holds the amount as digits."""
    found = object_of(asked)
    amount = found.get("amount")
    if asked.form and isinstance(amount, str):
        return found | ({"amount": int(amount)} if DIGITS.fullmatch(amount) else {})
    return found
