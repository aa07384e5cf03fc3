"""Fincra itself: who banks there, and what may happen to them."""

from __future__ import annotations

from typing import Any

from providers.sandbox import hooked
from providers.sandbox.institution import Customer, Holding
from providers.sandbox.ledger import Holder
from providers.sandbox.wire import Answer

from . import errors
from .payouts import Payouts
from .world import World


class Fincra(Payouts):
    people = "merchants"
    happenings = (
        *hooked.HAPPENINGS,
        "conclude",
        "amend_wallet",
        "block",
        "rotate_key",
        "maintenance",
        "stir",
    )
    routes = {
        ("GET", "/profile/business/me"): "show_profile",
        ("GET", "/wallets"): "show_wallets",
        ("GET", "/wallets/logs"): "show_logs",
        ("GET", "/wallets/{id}"): "show_wallet",
        ("POST", "/disbursements/payouts"): "make_payout",
        ("GET", "/disbursements/payouts/reference/{reference}"): "find_payout",
        (
            "GET",
            "/disbursements/payouts/customer-reference/{own}",
        ): "find_payout_by_own",
    }

    def reject(self, status: int) -> Answer:
        return Answer.of(errors.body("RESOURCE_NOT_FOUND", "Not found"), status)

    def refusal(self, code: str) -> Answer:
        return errors.refusal(code)

    # -- people

    def customer(self, name: str) -> Customer:
        about = self.about(name)
        credentials = {
            "api_key": about["key"],
            "business_id": about["profile"]["_id"],
            "amount_scale": self.scale,
            "webhook_key": about["webhook_key"],
        }
        return Customer(name, credentials, [_holding(w) for w in self.wallets(name)])

    def world(self, **wishes: Any) -> World:
        return World(self, **wishes)

    def stir(self, name: str | None = None) -> None:
        """Let somebody be paid a little, or a payout begin and another one end."""
        with self.lock:
            customer = self.customer(name or self.demo_world().name)
            wallet = customer.account.external_id
            if len(self.ledger.entries) % 3:
                self.pay(wallet, 1_500_00, description="Alan Ross")
            else:
                self.spend(wallet, 500_00, description="Supplier")

    def amend_wallet(self, id: str, **facts: Any) -> None:
        """Change the `status` of a wallet, or how far it may be overdrawn: `overdraft`."""
        if unknown := facts.keys() - {"status", "overdraft"}:
            raise TypeError(f"{id} has no {sorted(unknown)}")
        self.ledger.amend(id, **facts)

    def block(self, name: str | None = None, on: bool = True) -> None:
        """Let Fincra block a business, or free it again."""
        self._change(name, isBlocked=on)

    def _change(self, name: str | None, **facts: Any) -> None:
        name = name or self.demo_world().name
        about = self.about(name)
        profile = {**about["profile"], **facts}
        self.ledger.put(("merchants", name, {**about, "profile": profile}))

    def rotate_key(self, name: str | None = None) -> str:
        """Let somebody make a new API key at the dashboard; the old one is dead."""
        return self.replace_key(name)

    def key_after(self, key: str, number: int) -> str:
        return f"{key[:28]}{number:04d}"


def _holding(wallet: Holder) -> Holding:
    closed = wallet.facts["status"] == "closed"
    name = f"{wallet.asset.code} wallet"
    return Holding(wallet.id, "wallet", name, str(wallet.asset), closed=closed)
