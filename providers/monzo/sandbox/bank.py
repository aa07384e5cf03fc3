"""The bank itself: accounts, pots, and money that moves between them once."""

from __future__ import annotations

import re
from typing import Any, Final

from providers.sandbox import clock
from providers.sandbox.ledger import Entry, Holder
from providers.sandbox.wire import Answer, Asked

from . import errors
from .consent import fields_of
from .webhooks import Webhooks
from .world import World

AMOUNT: Final = re.compile(r"[0-9]{1,19}", re.ASCII)
# How the ids of each kind begin, and the digits of their numbers.
IDS: Final = {"person": ("user", 8), "account": ("acc", 16), "pot": ("pot", 16)}


class Monzo(Webhooks):
    mounts = {"api": "", "auth": "/auth"}
    happenings = (
        "consent",
        "approve",
        "revoke",
        "expire",
        "reauthenticate",
        "amend",
        "add_pot",
    )
    routes = {
        ("GET", "/auth/"): "consent_page",
        ("POST", "/auth/approve"): "approve_page",
        ("POST", "/oauth2/token"): "token",
        ("POST", "/oauth2/logout"): "logout",
        ("GET", "/ping/whoami"): "whoami",
        ("GET", "/accounts"): "accounts",
        ("GET", "/balance"): "show_balance",
        ("GET", "/pots"): "pots",
        ("PUT", "/pots/{id}/deposit"): "deposit",
        ("PUT", "/pots/{id}/withdraw"): "withdraw",
        ("GET", "/transactions"): "transactions",
        ("GET", "/transactions/{id}"): "transaction",
        ("POST", "/webhooks"): "register_webhook",
        ("GET", "/webhooks"): "webhooks",
        ("DELETE", "/webhooks/{id}"): "delete_webhook",
    }

    def reject(self, status: int) -> Answer:
        code = "not_found" if status == 404 else "bad_request.method_not_allowed"
        return Answer.of(errors.body(code, "No such path or method"), status)

    def refusal(self, code: str) -> Answer:
        return errors.refusal(code)

    # -- reading

    def accounts(self, asked: Asked) -> Answer:
        user, kind = self.user(asked), asked.query.get("account_type")
        return self.remembered(user, kind, lambda: self._list(user, kind))

    def _list(self, user: str, kind: str | None) -> dict[str, Any]:
        found = self.accounts_of(user)
        wanted = [h for h in found if kind in (None, h.facts["type"])]
        return {"accounts": [_account_row(h) for h in wanted]}

    def show_balance(self, asked: Asked) -> Answer:
        account = self.mine(asked)
        return self.remembered(account.id, "balance", lambda: self._balance(account))

    def _balance(self, account: Holder) -> dict[str, Any]:
        """Say what an account holds; flexible savings are outside `total_balance`."""
        seen = self.seen()
        balance = self.ledger.balance(account.id, seen)
        total, flexible = balance, 0
        for pot in self.inside(account):
            held = self.ledger.balance(pot.id, seen)
            if pot.facts["type"] == "flexible_savings":
                flexible += held
            else:
                total += held
        return {
            "balance": balance,
            "total_balance": total,
            "balance_including_flexible_savings": total + flexible,
            "currency": account.asset.code,
            "spend_today": 0,
            "local_currency": "",
            "local_exchange_rate": 0,
            "local_spend": [],
        }

    def pots(self, asked: Asked) -> Answer:
        account = self.mine(asked, "current_account_id")
        return self.remembered(
            account.id,
            "pots",
            lambda: {"pots": [self._pot_row(pot) for pot in self.inside(account)]},
        )

    def _pot_row(self, pot: Holder) -> dict[str, Any]:
        about = pot.facts
        return {
            "id": pot.id,
            "name": about["name"],
            "style": "beach_ball",
            "balance": self.ledger.balance(pot.id, self.seen()),
            "currency": pot.asset.code,
            "type": about["type"],
            "product_id": "default",
            "current_account_id": about["parent"],
            "cover_image_url": "",
            "isa_wrapper": "",
            "round_up": False,
            "round_up_multiplier": None,
            "is_tax_pot": False,
            "created": clock.text(pot.opened),
            "updated": clock.text(pot.opened),
            "deleted": about["deleted"],
            "locked": about["locked"],
            "available_for_bills": about["bills"],
            "has_virtual_cards": False,
        } | ({"goal_amount": about["goal"]} if about["goal"] else {})

    # -- moving

    def deposit(self, asked: Asked, id: str) -> Answer:
        return self._transfer(asked, id, "source_account_id")

    def withdraw(self, asked: Asked, id: str) -> Answer:
        return self._transfer(asked, id, "destination_account_id")

    def _transfer(self, asked: Asked, id: str, field: str) -> Answer:
        """Move money once for one dedupe id of one person, whatever else it says."""
        user = self.user(asked)
        wish = fields_of(asked, field, "amount", "dedupe_id")
        pot, account = self._ends(user, id, wish[field])
        if done := self.done(user, wish["dedupe_id"]):
            first = done.source if done.source.startswith("pot_") else done.target
            return Answer.of(self._pot_row(self.ledger.holders[first]))
        into = field == "source_account_id"
        source, target = (account, pot) if into else (pot, account)
        self._allow(pot, source, amount := _amount(wish["amount"]), into=into)
        entry = Entry(
            id=self.entry_id(),
            source=source.id,
            target=target.id,
            amount=amount,
            moment=self.clock.now(),
            scope=user,
            dedupe_id=wish["dedupe_id"],
        )
        self.enter(entry)
        return Answer.of(self._pot_row(pot))

    def _ends(self, user: str, pot_id: str, account_id: str) -> tuple[Holder, Holder]:
        pot = self.ledger.holders.get(pot_id)
        if pot is None or user not in pot.facts["owners"] or "parent" not in pot.facts:
            raise errors.no(404, "not_found.pot", "Pot not found")
        account = self.ledger.holders.get(account_id)
        if account is None or pot.facts["parent"] != account_id:
            raise errors.no(404, "not_found.account", "Account not found")
        if account.facts["closed"]:
            raise errors.no(400, "bad_request.account_closed", "Account is closed")
        return pot, account

    def _allow(self, pot: Holder, source: Holder, amount: int, *, into: bool) -> None:
        if pot.facts["deleted"]:
            raise errors.no(400, "bad_request.pot_deleted", "This pot is deleted")
        if pot.facts["locked"] and not into:
            raise errors.no(403, "forbidden.pot_locked", "This pot has added security")
        if self.ledger.balance(source.id) < amount:
            what = "deposit more than your current account" if into else "withdraw more"
            raise errors.no(
                400, "bad_request.insufficient_funds", f"You can't {what} balance"
            )

    # -- people

    def world(self, **wishes: Any) -> World:
        return World(self, **wishes)

    def counts(self, account: Holder) -> bool:
        return str(account.facts["type"]).startswith(("uk_retail", "uk_business"))

    def called(self, account: Holder) -> str:
        return str(account.facts["type"])

    def id_of(self, kind: str, number: int) -> str:
        prefix, width = IDS[kind]
        return f"{prefix}_{number:0{width}d}"


def _amount(text: str) -> int:
    if not AMOUNT.fullmatch(text) or not 0 < int(text) < 2**63:
        raise errors.bad("amount", "must be greater than 0")
    return int(text)


def _account_row(account: Holder) -> dict[str, Any]:
    return {
        "id": account.id,
        "description": account.facts["owners"][0],
        "created": clock.text(account.opened),
        "closed": account.facts["closed"],
        "type": account.facts["type"],
        "currency": account.asset.code,
        "country_code": "GB",
        "owners": [
            {"user_id": o, "preferred_name": o, "preferred_first_name": o}
            for o in account.facts["owners"]
        ],
        "account_number": account.id[-8:],
        "sort_code": "040004",
    }
