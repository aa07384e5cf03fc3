"""Businesses on their way in: wallets in several currencies, with a past."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from providers.sandbox import clock, merchants

from .log import FIRST_LOG, log_of, topic_of
from .wallets import Wallets

FIRST_TAG: Final = 9_055
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


class World(merchants.World[Wallets]):
    """Opens a wallet in each currency, with a past."""

    def __init__(self, there: Wallets, **wishes: Any) -> None:
        super().__init__(there, **wishes)
        self.held: dict[str, int] = {}
        self.logged = there.ledger.topic("state").get("logged", FIRST_LOG)

    def admit(self, name: str, number: int) -> None:
        tag = FIRST_TAG + number
        business = _digest(f"business of {name}", 24)
        units = WALLETS if self.opening is None else WALLETS[:1]
        ids = {unit: self._wallet(name, tag, business, unit) for unit in units}
        self._history(ids)
        key = _digest(f"key of {name}", 32)
        about = {
            "key": key,
            "webhook_key": _digest(f"hooks of {name}", 32),
            "accounts": list(ids.values()),
            "profile": self._profile(name, tag, business),
        }
        self.know(("merchants", name, about), ("keys", key, name))

    def _wallet(self, name: str, number: int, business: str, unit: str) -> str:
        count = len(self.there.ledger.holders) + len(self.holders)
        facts = {
            "owner": name,
            "number": number,
            "business": business,
            "status": "enabled",
            "overdraft": None,
        }
        return self.hold(str(105_146 + count), unit, **facts).id

    def _history(self, ids: dict[str, str]) -> None:
        if self.opening is not None:
            self._enter(ids["NGN/2"], self.opening, self.opened, "Opening balance")
            return
        for ago, unit, amount, about in PAST:
            moment = self.now - timedelta(days=ago, minutes=13 * ago)
            self._enter(ids[unit], amount, moment, about)

    def _enter(self, wallet: str, amount: int, moment: datetime, about: str) -> None:
        if not amount:
            return
        self.moved(wallet, amount, moment, facts={"description": about})
        held = self.held.get(wallet, 0)
        self.held[wallet] = held + amount
        self.logged += 1
        before, after = (
            {"ledger": n, "locked": 0, "available": n} for n in (held, held + amount)
        )
        log = log_of(self.logged, (before, after), "movement", about)
        dated = log | {"moment": clock.text(moment)}
        self.know((topic_of(wallet), str(self.logged), dated))

    def _profile(self, name: str, number: int, business: str) -> dict[str, Any]:
        opened = clock.text(self.opened)
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
        self.know(("state", "logged", self.logged))
        super().write()


def _digest(text: str, length: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:length]
