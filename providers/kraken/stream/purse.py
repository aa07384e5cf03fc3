"""What the stream and REST know of each asset, and which of it may be told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from providers.base import Observation, Reading
from providers.money import Asset, MoneyError
from providers.trading import Market

from ..replies import exact, text_of
from .executions import moment

MAIN = ("spot", "main")
Wallets = Mapping[tuple[str, str], Decimal]


@dataclass
class Purse:
    """Balances of main wallets, by the new names of their assets.

    What is on hold is known from REST only. So a balance is told from a frame only while
    nothing can have changed what is on hold of it; otherwise it is `doubted` until REST
    was asked, and is not told before.
    """

    accounts: dict[str, Reading] = field(default_factory=dict)  # as REST told them
    wallets: dict[str, Wallets] = field(default_factory=dict)  # as the stream did
    doubted: set[str] = field(default_factory=set)
    moved: dict[str, datetime] = field(default_factory=dict)  # since REST was asked
    disputed: set[str] = field(default_factory=set)  # REST and the stream disagree
    strangers: set[str] = field(default_factory=set)  # told by the stream, not by REST

    def doubt(self, *codes: str) -> None:
        self.doubted.update(codes)

    def compare(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Take in a snapshot; whatever differs from what was known is doubted."""
        before, self.wallets = self.wallets, dict(map(_wallets, rows))
        for code in (before.keys() | self.wallets.keys()) - self.strangers:
            if not self._follows(code, before.get(code)):
                self.doubt(code)

    def _follows(self, code: str, before: Wallets | None) -> bool:
        """Say whether a snapshot tells of an asset what was known of it."""
        now = self.wallets.get(code)
        if before or not now or MAIN not in now:
            return before == now
        # The frames left open what is in its wallets; REST was asked since, or will be.
        return before is not None and self._agrees(code)

    def take(self, row: Mapping[str, Any]) -> str:
        """Take in an entry of the ledger, which says what is held after it; return whose."""
        code = text_of(row, "asset")
        self.strangers.discard(code)
        main = self._main(code, row) if _wallet(row) == MAIN else None
        if main is None:
            self.wallets[code] = {}
            self.doubt(code)
            return code
        self.wallets[code] = {**self.wallets.get(code, {}), MAIN: main}
        self.moved[code] = moment(row["timestamp"])
        account = self.accounts.get(code)
        if account is None or (account.held and exact(row["amount"]) < 0):
            # Nobody knows it yet, or it was paid out of what is on hold.
            self.doubt(code)
        return code

    def _main(self, code: str, row: Mapping[str, Any]) -> Decimal | None:
        """Return what is in the main wallet after an entry; None if that is not sure.

        `balance` is absolute, and `amount` is never added to anything told. Whether other
        wallets of the asset are in it is not documented: where there are some, it counts
        in the sense in which it follows from what was there before, and in no other.
        """
        balance = exact(row["balance"])
        known = self.wallets.get(code, {MAIN: Decimal(0)})
        if MAIN not in known:
            return None
        others = sum((v for id, v in known.items() if id != MAIN), Decimal(0))
        if not others:
            return balance
        after = known[MAIN] + exact(row["amount"]) - exact(row["fee"])
        return after if after in (balance, balance - others) else None

    def holds(self, market: Market, side: str) -> None:
        """Doubt the asset of which an order holds something else now."""
        self.doubt(market.base if side == "sell" else market.quote)

    def seen(self, observation: Observation) -> list[Reading]:
        """Take in what REST told, and return what of it the stream does not dispute.

        A balance that REST told otherwise may be too new for the stream, or too old: it
        waits for `settle`. If REST says so twice, a frame was lost, and REST is right.
        """
        main = [r for r in observation.readings if "." not in r.asset.code]
        self.accounts = {r.asset.code: r for r in main if r.total is not None}
        self.doubted.clear()
        self.moved.clear()
        mine = [code for code, known in self.wallets.items() if MAIN in known]
        wrong = {code for code in mine if not self._agrees(code)}
        for code in wrong & self.disputed:
            self.wallets[code] = {**self.wallets[code], MAIN: self._told(code)}
            if code not in self.accounts:
                self.strangers.add(code)
        self.disputed = wrong - self.disputed
        return [r for r in observation.readings if r.asset.code not in self.disputed]

    def _agrees(self, code: str) -> bool:
        return self._told(code) == self.wallets[code][MAIN]

    def _told(self, code: str) -> Decimal:
        """Return what REST told, in whole units; what it does not list is nothing."""
        account = self.accounts.get(code)
        if account is None or account.total is None:
            return Decimal(0)
        return Decimal(account.asset.major(account.total))

    def settle(self) -> list[Reading]:
        """Return what was heard while REST answered; call when nothing older can come."""
        self.disputed -= self.moved.keys()
        self.doubt(*self.disputed)
        codes = [code for code in self.moved if code not in self.doubted]
        return [reading for code in codes if (reading := self.reading(code))]

    def reading(self, code: str) -> Reading | None:
        """Return what is held of an asset now; None where that is not known to be so."""
        account = self.accounts.get(code)
        if account is None or account.total is None or account.available is None:
            return None
        total = minor(account.asset, self.wallets[code][MAIN])
        if code in self.doubted or total is None:
            self.doubt(code)
            return None
        spare = account.available - account.total  # less what is on hold, plus credit
        told = replace(
            account, total=total, available=total + spare, as_of=self.moved.get(code)
        )
        self.accounts[code] = told
        return told


def minor(asset: Asset, amount: Decimal) -> int | None:
    """Return minor units; None for a number with more decimals, as a float may have."""
    try:
        return asset.minor(amount)
    except MoneyError:
        return None


def _wallets(row: Mapping[str, Any]) -> tuple[str, Wallets]:
    """Return an asset with what is in each of its wallets."""
    listed = row.get("wallets")
    if not listed:
        return text_of(row, "asset"), {MAIN: exact(row["balance"])}
    found = {(text_of(w, "type"), text_of(w, "id")): w["balance"] for w in listed}
    if len(found) < len(listed):
        raise ValueError("A wallet is listed twice")
    return text_of(row, "asset"), {id: exact(held) for id, held in found.items()}


def _wallet(row: Mapping[str, Any]) -> tuple[str, str]:
    return text_of(row, "wallet_type"), text_of(row, "wallet_id")
