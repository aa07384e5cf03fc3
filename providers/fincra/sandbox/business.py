"""Fincra itself: who banks there, and what may happen to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from providers.sandbox import hooked
from providers.sandbox.institution import Customer, Holding
from providers.sandbox.ledger import Holder
from providers.sandbox.wire import Answer

from . import errors
from .payouts import Payouts
from .world import World


class Fincra(Payouts):
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

    def customers(self) -> list[str]:
        return list(self.ledger.topic("merchants"))

    def customer(self, name: str) -> Customer:
        about = self.about(name)
        credentials = {
            "api_key": about["key"],
            "business_id": about["profile"]["_id"],
            "amount_scale": self.scale,
            "webhook_key": about["webhook_key"],
        }
        return Customer(name, credentials, [_holding(w) for w in self.wallets(name)])

    def add_customers(
        self,
        names: Sequence[str],
        *,
        opening: int | str | None = None,
        pots: int = 0,
        **nothing: Any,
    ) -> list[Customer]:
        """Open a business for each, with `opening` kobo and nothing else, or with a past.

        There are no pots here: a number of them other than 0 is refused.
        """
        if nothing or pots:
            raise TypeError(f"Unknown wishes: {sorted(nothing) or ['pots']}")
        with self.lock:
            opened = World(self, None if opening is None else int(opening))
            for name in names:
                opened.person(name)
            opened.write()
            return [self.customer(name) for name in names]

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
        name = name or self.demo_world().name
        about = self.about(name)
        fresh = f"{about['key'][:28]}{len(self.ledger.topic('keys')):04d}"
        self.ledger.put(
            ("keys", about["key"], None),
            ("keys", fresh, name),
            ("merchants", name, {**about, "key": fresh}),
        )
        return fresh

    def maintenance(self, on: bool = True) -> None:
        """Close Fincra for a while, or open it again."""
        self.ledger.put(("state", "maintenance", on or None))


def _holding(wallet: Holder) -> Holding:
    closed = wallet.facts["status"] == "closed"
    name = f"{wallet.asset.code} wallet"
    return Holding(wallet.id, "wallet", name, str(wallet.asset), closed=closed)
