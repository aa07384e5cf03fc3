"""Payouts: what is available falls first, the ledger when one has been completed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from providers.money import Asset, MoneyError
from providers.sandbox import clock
from providers.sandbox.ledger import OUTSIDE, Entry, Holder
from providers.sandbox.wire import Answer, Asked

from . import errors, speech
from .telling import Telling

WANTED: Final = (
    "business",
    "sourceCurrency",
    "destinationCurrency",
    "amount",
    "description",
    "paymentDestination",
    "beneficiary",
)
ALLOWED: Final = frozenset(
    {*WANTED, "customerReference", "quoteReference", "paymentScheme"}
)
LOOKED_UP: Final = (
    "amountReceived",
    "sourceCurrency",
    "destinationCurrency",
    "fee",
    "status",
    "reference",
    "createdAt",
    "updatedAt",
)
DESTINATIONS: Final = frozenset({"bank_account", "mobile_money_wallet"})
AMOUNT: Final = re.compile(r"[0-9]{1,15}(\.[0-9]{1,8})?", re.ASCII)
RECIPIENT: Final = ("accountHolderName", "accountNumber", "type", "email")


class Payouts(Telling):
    """The part of Fincra that pays out; an adapter of balsync never asks it to."""

    def make_payout(self, asked: Asked) -> Answer:
        """Start a payout: what it takes is locked. A reference is never used twice."""
        name = self.merchant(asked)
        if self.about(name)["profile"]["isBlocked"]:
            raise errors.no("consent_needed")
        wish = _wish(asked)
        if wish["business"] != self.about(name)["profile"]["_id"]:
            raise errors.missing("Business not found")
        wallet = self._source(name, wish)
        amount = self._amount(wallet, wish["amount"])
        own = wish.get("customerReference")
        if own is not None and f"{name} {own}" in self.ledger.topic("references"):
            raise errors.no("duplicate")
        if self.figures(wallet.id)["available"] < amount:
            raise errors.no("insufficient_funds")
        payout = self._payout(name, wallet, amount, wish)
        facts = [("payouts", payout["reference"], payout)]
        if own is not None:
            facts.append(("references", f"{name} {own}", payout["reference"]))
        self.ledger.put(*facts)
        self.keep_back(wallet.id, amount, "payout initiated")
        told = {
            k: payout[k] for k in ("id", "reference", "customerReference", "status")
        }
        message = "Payout processed successfully"
        return speech.answer({"success": True, "message": message, "data": told})

    def _source(self, name: str, wish: Mapping[str, Any]) -> Holder:
        source, target = wish["sourceCurrency"], wish["destinationCurrency"]
        found = [w for w in self.wallets(name) if w.asset.code == source]
        if not found or found[0].facts["status"] != "enabled":
            raise errors.bad(f"{source} currency not supported")
        if source != target:
            raise errors.bad(
                "Quote Reference not specified, Kindly generate a quote first to "
                "continue."
            )
        if wish["paymentDestination"] not in DESTINATIONS:
            raise errors.bad(
                f"Payment destination {wish['paymentDestination']} not supported for "
                f"currency {target}, kindly supply a valid payment destination."
            )
        return found[0]

    def _amount(self, wallet: Holder, value: Any) -> int:
        """Return minor units of what was sent, a number or a text, in the unit that is set."""
        text = json.dumps(value) if type(value) in (int, float) else value
        unit = wallet.asset if self.scale == "major" else Asset(wallet.asset.code, 0)
        try:
            if not isinstance(text, str) or not AMOUNT.fullmatch(text):
                raise errors.invalid("amount must be a number")
            amount = unit.minor(text)
        except MoneyError as error:
            raise errors.invalid("amount has too many decimals") from error
        if amount <= 0:
            raise errors.invalid("amount must be a positive number")
        return amount

    def _payout(
        self, name: str, wallet: Holder, amount: int, wish: Mapping[str, Any]
    ) -> dict[str, Any]:
        number = 14_380 + len(self.ledger.topic("payouts"))
        to = wish["beneficiary"]
        return {
            "merchant": name,
            "wallet": wallet.id,
            "id": number,
            "reference": f"fnc-{number:08d}",
            "customerReference": wish.get("customerReference"),
            "status": "processing",
            "amount": str(amount),
            "description": wish["description"],
            "scheme": wish.get("paymentScheme"),
            "destination": wish["paymentDestination"],
            "recipient": [to.get(field) for field in RECIPIENT],
            "created": clock.text(self.clock.now()),
            "updated": clock.text(self.clock.now()),
        }

    def conclude(self, reference: str, status: str = "successful") -> None:
        """Let a payout end: its amount leaves the ledger, or is available again."""
        known = self.ledger.topic("payouts")[reference]
        if status not in ("successful", "failed") or known["status"] != "processing":
            raise ValueError(f"{reference} cannot become {status}")
        now = clock.text(self.clock.now())
        payout = {**known, "status": status, "updated": now}
        self.ledger.put(("payouts", reference, payout))
        amount = int(payout["amount"])
        if status == "failed":
            self.keep_back(payout["wallet"], -amount, "payout failed")
        else:
            self.enter(self._entry(payout, amount))
        self.tell(payout["merchant"], f"payout.{status}", self.told_payout(payout))

    def _entry(self, payout: Mapping[str, Any], amount: int) -> Entry:
        return Entry(
            self.entry_id(),
            payout["wallet"],
            OUTSIDE,
            amount,
            self.clock.now(),
            scope=payout["merchant"],
            dedupe_id=payout["customerReference"] or "",
            facts={"description": payout["description"], "unlocked": str(amount)},
        )

    # -- looking up

    def find_payout(self, asked: Asked, reference: str) -> Answer:
        name = self.merchant(asked)
        payout = self.ledger.topic("payouts").get(reference)
        if payout is None or payout["merchant"] != name:
            raise errors.missing("Payout not found")
        told = self.told_payout(payout)
        data = {
            "id": told["id"],
            "amountSent": told["amountCharged"],
            **{k: told[k] for k in LOOKED_UP},
        }
        message = "Payout fetched successfully"
        return speech.answer({"success": True, "message": message, "data": data})

    def find_payout_by_own(self, asked: Asked, own: str) -> Answer:
        name = self.merchant(asked)
        references = self.ledger.topic("references")
        return self.find_payout(asked, references.get(f"{name} {own}", ""))


def _wish(asked: Asked) -> dict[str, Any]:
    found = _object(asked)
    if not found:
        raise errors.bad("No payload sent")
    for name in WANTED:
        if found.get(name) in (None, ""):
            raise errors.invalid(f'"{name}" is required')
    if unknown := sorted(found.keys() - ALLOWED):
        raise errors.invalid(f'"{unknown[0]}" is not allowed')
    if not isinstance(found["beneficiary"], dict):
        raise errors.invalid('"beneficiary" must be of type object')
    for name in ("accountHolderName", "accountNumber", "type"):
        if not found["beneficiary"].get(name):
            raise errors.invalid(f'"beneficiary.{name}" is required')
    return found


def _object(asked: Asked) -> dict[str, Any]:
    """Return the body, empty where it is no object in JSON."""
    kind = asked.headers.get("content-type", "").partition(";")[0].strip()
    try:
        found = json.loads(asked.body) if kind == "application/json" else None
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
