"""The institution itself: wallets of one currency each, and what was paid into them."""

from __future__ import annotations

from typing import Any, Final

from providers.sandbox import hooked
from providers.sandbox.institution import Customer, Holding
from providers.sandbox.ledger import OUTSIDE, Holder
from providers.sandbox.wire import Answer, Asked

from .calls import CHARGE, Calls, state
from .rows import charge, units
from .world import World

PAGE: Final = 10
LISTING: Final = frozenset(
    [
        "from",
        "to",
        "page",
        "customer_email",
        "status",
        "tx_ref",
        "customer_fullname",
        "currency",
    ]
)
GIVEN: Final = ("secret_key", "client_id", "client_secret", "webhook_hash")


class Flutterwave(Calls):
    mounts = {"api": "/v3", "v4": "/v4", "v4_sandbox": "/v4-sandbox", "auth": "/idp"}
    happenings = (
        *hooked.HAPPENINGS,
        "expire",
        "rotate",
        "revoke",
        "forbid",
        "maintenance",
        "open_wallet",
    )
    routes = {
        ("GET", "/v3/balances"): "balances_v3",
        ("GET", "/v3/balances/{currency}"): "balance_v3",
        ("GET", "/v3/transactions"): "transactions",
        ("GET", "/v4/wallets/balances"): "balances_v4",
        ("GET", "/v4/wallets/balances/{currency}"): "balance_v4",
        ("GET", "/v4-sandbox/wallets/balances"): "balances_v4",
        ("GET", "/v4-sandbox/wallets/balances/{currency}"): "balance_v4",
        ("POST", "/idp/realms/flutterwave/protocol/openid-connect/token"): "token",
    }

    def stir(self, name: str | None = None) -> None:
        """Let somebody pay a little, or be paid out."""
        with self.lock:
            wallet = self.customer(name or self.first_customer).account.external_id
            if len(self.ledger.entries) % 3:
                self.pay(wallet, 1_250_50, description="order")
            else:
                self.spend(wallet, 2_000_00, description="payout")

    # -- version 3

    def balances_v3(self, asked: Asked) -> Answer:
        owner = self.merchant(asked)
        self._only(asked, frozenset())
        rows = [self._v3(wallet) for wallet in self.wallets(owner)]
        return _found("Wallet balances fetched", rows)

    def balance_v3(self, asked: Asked, currency: str) -> Answer:
        wallet = self._one(self.merchant(asked), currency)
        return _found("Wallet balance fetched", self._v3(wallet))

    def _v3(self, wallet: Holder) -> dict[str, Any]:
        """Tell both balances: what is on its way in becomes available when it is settled."""
        held, asset = self.ledger.balance(wallet.id, self.seen()), wallet.asset
        available = self._available(wallet)
        return {
            "currency": asset.code,
            "available_balance": units(asset, available),
            "ledger_balance": units(asset, held - available),
        }

    def transactions(self, asked: Asked) -> Answer:
        """List what was paid in, the newest first, ten to a page."""
        owner = self.merchant(asked)
        wish = self._only(asked, LISTING)
        shop, rows = self.shop(owner), []
        for wallet in self.wallets(owner):
            if wish.get("currency", wallet.asset.code) != wallet.asset.code:
                continue
            for entry in self.ledger.of(wallet.id, self.seen()):
                if entry.source == OUTSIDE:
                    row = charge(shop, wallet.asset, entry, CHARGE[state(entry)])
                    rows.append({**row, "id": str(row["id"])})
        rows.sort(key=lambda row: int(row["id"]), reverse=True)
        page = self._page(wish.get("page", "1"))
        info = {
            "total": len(rows),
            "current_page": page,
            "total_pages": -(-len(rows) // PAGE),
        }
        found = rows[PAGE * (page - 1) : PAGE * page]
        told = {"status": "success", "message": "Transactions fetched"}
        return Answer.of({**told, "meta": {"page_info": info}, "data": found})

    def _page(self, text: str) -> int:
        if not text.isascii() or not text.isdigit() or not 0 < int(text) < 10**6:
            raise self.no("refused", "page must be a number")
        return int(text)

    def _only(self, asked: Asked, known: frozenset[str]) -> dict[str, str]:
        try:
            wish = dict(asked.query)
        except ValueError as error:
            raise self.no("refused", str(error)) from error
        if unknown := sorted(wish.keys() - known):
            raise self.no("refused", f"{unknown[0]} is not allowed")
        return wish

    # -- version 4

    def balances_v4(self, asked: Asked) -> Answer:
        owner = self.client(asked)
        self._only(asked, frozenset())
        rows = [self._v4(wallet) for wallet in self.wallets(owner)]
        return _found("Wallet balances fetched", rows)

    def balance_v4(self, asked: Asked, currency: str) -> Answer:
        wallet = self._one(self.client(asked), currency)
        return _found("Wallet balance fetched", self._v4(wallet))

    def _v4(self, wallet: Holder) -> dict[str, Any]:
        available = units(wallet.asset, self._available(wallet))
        return {"currency": wallet.asset.code, "available_balance": available}

    # -- both

    def _available(self, wallet: Holder) -> int:
        """Return what is held without what is still on its way in."""
        coming = [
            entry.amount
            for entry in self.ledger.of(wallet.id, self.seen())
            if entry.target == wallet.id and not entry.settled and not entry.declined
        ]
        return self.ledger.balance(wallet.id, self.seen()) - sum(coming)

    def _one(self, owner: str, currency: str) -> Holder:
        for wallet in self.wallets(owner):
            if wallet.asset.code == currency:
                return wallet
        raise self.no("not_found", f"There is no wallet in {currency}")

    def wallets(self, owner: str) -> list[Holder]:
        ids = self.shop(owner)["wallets"]
        return [self.ledger.holders[id] for id in ids]

    # -- people

    def customer(self, name: str) -> Customer:
        shop = self.shop(name)
        given = {field: shop[field] for field in GIVEN}
        given["sandbox"] = "yes" if shop["sandbox"] and shop["version"] == 4 else ""
        held = [
            Holding(w.id, "wallet", f"{w.asset.code} wallet", str(w.asset))
            for w in self.wallets(name)
        ]
        return Customer(name, given, held)

    def world(self, **wishes: Any) -> World:
        return World(self, **wishes)

    def open_wallet(self, name: str, asset: str) -> str:
        """Open one more wallet for a business and return its id."""
        shop = self.shop(name)
        prefix = shop["wallets"][0].rpartition(":")[0]
        wallet = self.open(f"{prefix}:{asset.partition('/')[0]}", asset, owner=name)
        self.ledger.open(wallet)
        known = {**shop, "wallets": [*shop["wallets"], wallet.id]}
        self.ledger.put(("shops", name, known))
        return wallet.id


def _found(message: str, data: Any) -> Answer:
    return Answer.of({"status": "success", "message": message, "data": data})
