"""Businesses on their way in: wallets in several currencies, with a past."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from providers.sandbox import clock
from providers.sandbox.ledger import OUTSIDE, Entry, Holder

from .log import FIRST_LOG, log_of, topic_of
from .wallets import Wallets

OPENED: Final = timedelta(days=90)  # before now
WALLETS: Final = ("NGN/2", "USD/2", "GBP/2", "UGX/0", "USDT/6")
# (days ago, wallet, minor units, what it was)
PAST: Final[Sequence[tuple[int, str, int, str]]] = (
    (80, "NGN/2", 9_120_400_50, "Ultimate Global Ventures"),
    (71, "USD/2", 4_800_00, "Invoice 204"),
    (64, "NGN/2", -2_450_000_00, "Payroll"),
    (52, "GBP/2", 1_275_35, "Alan Ross"),
    (41, "UGX/0", 3_600_000, "Kampala shop"),
    (33, "USD/2", -1_150_25, "Supplier"),
)


class World:
    """Collects what is to be opened; it is written when it is complete."""

    def __init__(self, there: Wallets, opening: int | None) -> None:
        self.there, self.opening = there, opening
        self.now = there.clock.now()
        self.holders: list[Holder] = []
        self.facts: dict[tuple[str, str], Any] = {}
        self.entries: list[Entry] = []
        self.held: dict[str, int] = {}
        self.logged = there.ledger.topic("state").get("logged", FIRST_LOG)

    def person(self, name: str) -> None:
        known = self.there.ledger.topic("merchants")
        new = [topic for topic, _ in self.facts if topic == "merchants"]
        if name in known or ("merchants", name) in self.facts:
            raise ValueError(f"{name} is a customer already")
        number = 9_056 + len(known) + len(new)
        business = hashlib.sha256(f"business of {name}".encode()).hexdigest()[:24]
        units = WALLETS if self.opening is None else WALLETS[:1]
        ids = {unit: self._wallet(name, number, business, unit) for unit in units}
        self._history(ids)
        key = hashlib.sha256(f"key of {name}".encode()).hexdigest()[:32]
        self.facts["merchants", name] = {
            "key": key,
            "webhook_key": hashlib.sha256(f"hooks of {name}".encode()).hexdigest()[:32],
            "accounts": list(ids.values()),
            "profile": self._profile(name, number, business),
        }
        self.facts["keys", key] = name

    def _wallet(self, name: str, number: int, business: str, unit: str) -> str:
        count = len(self.there.ledger.holders) + len(self.holders)
        id = str(105_146 + count)
        facts = {
            "owner": name,
            "number": number,
            "business": business,
            "status": "enabled",
            "overdraft": None,
        }
        holder = self.there.open(id, unit, **facts)
        self.holders.append(replace(holder, opened=self.now - OPENED))
        return id

    def _history(self, ids: dict[str, str]) -> None:
        if self.opening:
            self._enter(
                ids["NGN/2"], self.opening, self.now - OPENED, "Opening balance"
            )
        elif self.opening is None:
            for ago, unit, amount, about in PAST:
                moment = self.now - timedelta(days=ago, minutes=13 * ago)
                self._enter(ids[unit], amount, moment, about)

    def _enter(self, wallet: str, amount: int, moment: datetime, about: str) -> None:
        number = len(self.there.ledger.entries) + len(self.entries) + 1
        ends = (OUTSIDE, wallet) if amount > 0 else (wallet, OUTSIDE)
        facts = {"description": about}
        entry = Entry(f"tx_{number:016d}", *ends, abs(amount), moment, facts=facts)
        self.entries.append(entry)
        held = self.held.get(wallet, 0)
        self.held[wallet] = held + amount
        self.logged += 1
        before, after = (
            {"ledger": n, "locked": 0, "available": n} for n in (held, held + amount)
        )
        log = log_of(self.logged, (before, after), "movement", about)
        dated = log | {"moment": clock.text(moment)}
        self.facts[topic_of(wallet), str(self.logged)] = dated

    def _profile(self, name: str, number: int, business: str) -> dict[str, Any]:
        opened = clock.text(self.now - OPENED)
        colours = ("buttonTextColor", "buttonColor", "fontColor", "fontFamily")
        more = ("backgroundColor", "backgroundTextColor")
        mails = ("disbursement", "collection", "topup", "settlement", "paymentReceipt")
        return {
            "_id": business,
            "name": f"{name.title()} Trading Limited",
            "email": f"{name}@example.com",
            "mobile": "8012345678",
            "countryCallingCode": "+234",
            "country": "NG",
            "status": "enabled",
            "businessType": "Fintech",
            "businessKey": f"B-Kq7Rm2Xn{number}",
            "businessTag": number,
            "isKYCApproved": True,
            "isBlocked": False,
            "isPrincipalBVNWatchlisted": False,
            "settings": {
                "feeBearer": "business",
                "settlementDestination": "wallet",
                "enableWebhook": True,
                "enableWebhookRetry": True,
                "callbackURL": "https://example.com/webhooks/fincra",
                "acceptMispayments": False,
                "overrideBusinessEmail": None,
            },
            "emailSettings": {f"{mail}Notification": False for mail in mails},
            "checkoutSettings": {
                "useBrandLogo": False,
                **dict.fromkeys((*colours, *more), None),
            },
            "settlementSettings": None,
            "createdAt": opened,
            "updatedAt": opened,
        }

    def write(self) -> None:
        ledger = self.there.ledger
        ledger.open(*self.holders)
        self.facts["state", "logged"] = self.logged
        ledger.put(*((*key, value) for key, value in self.facts.items()))
        if self.entries:
            ledger.move(*self.entries)
