"""Whose key it is, what each wallet holds, and the log in pages."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, Final

from providers.sandbox import clock
from providers.sandbox.ledger import Holder
from providers.sandbox.wire import Answer, Asked

from . import errors, speech
from .log import Logs, stamp

FIGURES: Final = ("ledger", "available", "locked")
LOG_FILTERS: Final = ("page", "perPage", "business", "currency", "action")
NUMBER: Final = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)


class Wallets(Logs):
    """The part of Fincra that keeps the money."""

    # -- who asks

    def merchant(self, asked: Asked) -> str:
        """Return who asks; raises the gateway's 401 of a key that is not known."""
        if self.closed:
            raise errors.no("unavailable")
        if "api-key" not in asked.headers:
            raise errors.gate("No API key found in request")
        name: str | None = self.ledger.topic("keys").get(asked.headers["api-key"])
        if name is None:
            raise errors.gate()
        return name

    def show_profile(self, asked: Asked) -> Answer:
        about = self.about(self.merchant(asked))
        message = "Parent business fetched successfully"
        told = {"success": True, "message": message, "data": about["profile"]}
        return speech.answer(told)

    # -- wallets

    def show_wallets(self, asked: Asked) -> Answer:
        name = self.merchant(asked)
        wish = wish_of(asked, ("businessID", "currency"))
        if "businessID" not in wish:
            raise errors.bad("No payload sent")
        if len(wish["businessID"]) != 24:
            raise errors.invalid("businessID length must be 24 characters long")
        if wish["businessID"] != self.about(name)["profile"]["_id"]:
            raise errors.missing("Cannot fetch wallets. Business not found")
        found = [
            w for w in self.wallets(name) if wish.get("currency") in (None, _code(w))
        ]
        told = [self._wallet(wallet) for wallet in found]
        message = "Wallets fetched successfully"
        return speech.answer({"success": True, "message": message, "data": told})

    def show_wallet(self, asked: Asked, id: str) -> Answer:
        name = self.merchant(asked)
        found = [w for w in self.wallets(name) if w.id == id]
        if not found:
            raise errors.missing("Wallet not found")
        message = "Wallet fetched successfully"
        told = {"success": True, "message": message, "data": self._wallet(found[0])}
        return speech.answer(told)

    def _wallet(self, wallet: Holder) -> dict[str, Any]:
        about, total = wallet.facts, self.ledger.balance(wallet.id, self.seen())
        logs = self.logs_of(wallet.id)
        locked = int(logs[-1]["after"]["locked"]) if logs else 0
        figures = {"ledger": total, "available": total - locked, "locked": locked}
        limit = about["overdraft"]
        return {
            "id": int(wallet.id),
            "_id": wallet.id,
            "business": about["business"],
            "businessId": about["number"],
            **{f"{k}Balance": self.number(wallet, figures[k]) for k in FIGURES},
            "rollingReserveBalance": 0,
            "walletNumber": 100_000_000_000_000 + int(wallet.id),
            "currency": _code(wallet),
            "status": about["status"],
            "overdraftEnabled": int(limit is not None),
            "overdraftLimit": None if limit is None else self.number(wallet, limit),
            "createdAt": stamp(clock.text(wallet.opened)),
            "updatedAt": stamp(
                logs[-1]["moment"] if logs else clock.text(wallet.opened)
            ),
        }

    # -- the log

    def show_logs(self, asked: Asked) -> Answer:
        name = self.merchant(asked)
        wish = wish_of(asked, LOG_FILTERS)
        size, page = _whole(wish, "perPage", 20), _whole(wish, "page", 1)
        if size > 100:
            raise errors.invalid("perPage must be less than or equal to 100")
        rows = [
            (log, wallet)
            for wallet in self.wallets(name)
            for log in self.logs_of(wallet.id)
            if wish.get("currency") in (None, _code(wallet))
            and wish.get("business") in (None, wallet.facts["business"])
            and wish.get("action") in (None, log["action"])
        ]
        rows.sort(key=lambda pair: -pair[0]["id"])
        found = [self.told_log(*pair) for pair in rows[(page - 1) * size : page * size]]
        data = {"results": found, "total": len(rows)}
        message = "Wallet logs fetched successfully"
        return speech.answer({"success": True, "message": message, "data": data})


def wish_of(asked: Asked, known: Collection[str]) -> Mapping[str, str]:
    try:
        found = asked.query
    except ValueError as error:
        raise errors.invalid(str(error)) from error
    if unknown := sorted(found.keys() - set(known)):
        raise errors.invalid(f"{unknown[0]} is not allowed")
    return found


def _code(wallet: Holder) -> str:
    return wallet.asset.code


def _whole(wish: Mapping[str, str], name: str, usual: int) -> int:
    text = wish.get(name, str(usual))
    if not NUMBER.fullmatch(text):
        raise errors.invalid(f"{name} must be a number")
    return int(text)
