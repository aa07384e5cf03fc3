"""Paystack itself: who banks there, and what may happen to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from providers.sandbox import hooked
from providers.sandbox.institution import Customer, Holding
from providers.sandbox.wire import Answer

from . import errors
from .transfers import Transfers
from .world import World


class Paystack(Transfers):
    people = "businesses"
    happenings = (
        *hooked.HAPPENINGS,
        "conclude",
        "roll_key",
        "maintenance",
        "stir",
    )
    routes = {
        ("GET", "/balance"): "show_balance",
        ("GET", "/balance/ledger"): "show_ledger",
        ("POST", "/transferrecipient"): "make_recipient",
        ("POST", "/transfer"): "queue_transfer",
        ("GET", "/transfer/verify/{reference}"): "verify_transfer",
        ("GET", "/transfer/{code}"): "fetch_transfer",
    }

    def reject(self, status: int) -> Answer:
        return Answer.of(errors.body("Entity not found"), 404)

    def refusal(self, code: str) -> Answer:
        return errors.refusal(code)

    def disputes(self, said: Mapping[str, Any]) -> list[str]:
        """Return where a client's tale of the ledger and of refusals is untrue."""
        rows = self.rows(self.first_customer)
        wanted = {
            "entries": {str(row["id"]): str(row["difference"]) for row in rows},
            "refused": ["recipient 400", "transfer 404", "key 401"],
        }
        return [
            f"{n} are {w}, not {said[n]}" for n, w in wanted.items() if said[n] != w
        ]

    # -- people

    def customer(self, name: str) -> Customer:
        key = self.about(name)["key"]
        holdings = [
            Holding(w.id, "wallet", f"{w.asset.code} balance", str(w.asset))
            for w in self.wallets(name)
        ]
        return Customer(name, {"secret_key": key}, holdings)

    def world(self, **wishes: Any) -> World:
        return World(self, **wishes)

    def stir(self, name: str | None = None) -> None:
        """Let somebody be paid a little, or pay a little back."""
        with self.lock:
            wallet = self.customer(name or self.demo_world().name).account.external_id
            if len(self.ledger.entries) % 3:
                self.pay(wallet, 1_500_00)
            else:
                self.spend(wallet, 500_00, model="Refund")

    def roll_key(self, name: str | None = None) -> str:
        """Let somebody make a new secret key at the dashboard; the old one is dead."""
        return self.replace_key(name)

    def key_after(self, key: str, number: int) -> str:
        return f"{key.partition('0000')[0]}0000{number}"
