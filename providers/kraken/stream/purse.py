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
from .holds import Halves, Holds

MAIN = ("spot", "main")
Wallets = Mapping[tuple[str, str], Decimal]


@dataclass
class Purse:
    """Balances of main wallets, by the new names of their assets.

    A balance is told from a frame only while it is known what is on hold of it: because
    nothing can have changed that since REST told, or because `holds` can be believed.
    Otherwise it is `doubted` until REST was asked, and is not told before.
    """

    holds: Holds
    halves: Halves = field(default_factory=Halves)
    accounts: dict[str, Reading] = field(default_factory=dict)  # as they were last told
    wallets: dict[str, Wallets] = field(default_factory=dict)  # as the stream told them
    doubted: set[str] = field(default_factory=set)
    moved: dict[str, datetime] = field(default_factory=dict)  # since REST was asked
    touched: dict[str, datetime] = field(default_factory=dict)  # orders, since then
    disputed: set[str] = field(default_factory=set)  # REST and the stream disagree
    strangers: set[str] = field(default_factory=set)  # told by the stream, not by REST

    def doubt(self, *codes: str) -> None:
        self.doubted.update(codes)

    def compare(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Take in a snapshot; whatever differs from what was known is doubted."""
        before, self.wallets = self.wallets, dict(map(_wallets, rows))
        self.halves.clear()
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

    def take(self, row: Mapping[str, Any], now: datetime) -> str:
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
        if account is None:
            self.doubt(code)  # nobody knows it yet
        elif exact(row["amount"]) < 0:
            self._paid(code, account, row, now)
        return code

    def _paid(
        self, code: str, account: Reading, row: Mapping[str, Any], now: datetime
    ) -> None:
        """Take note that something was paid, perhaps out of what was on hold."""
        if self.holds.of(account.asset) is None:
            if account.held:
                self.doubt(code)
        elif row.get("type") == "trade":
            self.halves.meet(code, text_of(row, "ref_id"), now, ordered=False)

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

    def ordered(
        self, market: Market, side: str, trade: str, when: datetime, now: datetime
    ) -> str:
        """Take note that an order holds something else now; return of which asset."""
        code = market.base if side == "sell" else market.quote
        self.touched[code] = when
        account = self.accounts.get(code)
        if account is None or self.holds.of(account.asset) is None:
            self.doubt(code)
        elif trade:
            self.halves.meet(code, trade, now, ordered=True)
        return code

    def seen(self, observation: Observation) -> list[Reading]:
        """Take in what REST told, and return what of it the stream does not dispute.

        A balance that REST told otherwise may be too new for the stream, or too old: it
        waits for `settle`. If REST says so twice, a frame was lost, and REST is right.
        """
        main = [r for r in observation.readings if "." not in r.asset.code]
        self.accounts = {r.asset.code: r for r in main if r.total is not None}
        for known in (self.doubted, self.moved, self.touched, self.halves):
            known.clear()
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
        for code, account in self.accounts.items():
            if code not in self.touched and code not in self.moved:
                self.holds.compare(account.asset, account.held)
        later = {**self.touched, **self.moved}
        return [reading for code in later if (reading := self.reading(code))]

    def reading(self, code: str) -> Reading | None:
        """Return what is held of an asset now; None where that is not known to be so."""
        account = self.accounts.get(code)
        if account is None or account.total is None or account.available is None:
            return None
        main = self.wallets.get(code, {}).get(MAIN)
        total = None if main is None else minor(account.asset, main)
        if code in self.doubted or self.halves.open(code) or total is None:
            if total is None:
                self.doubt(code)
            return None
        held = self.holds.of(account.asset)
        held = account.held if held is None else held
        credit = account.available - account.total + account.held
        moments = [m[code] for m in (self.moved, self.touched) if code in m]
        told = replace(
            account,
            total=total,
            available=total + credit - held,
            held=held,
            as_of=max(moments, default=None),
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
