"""Balances, and the entries of Kraken's own ledger that change them."""

from __future__ import annotations

import hashlib
from base64 import b32encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal
from typing import Any

from providers.money import MoneyError
from providers.sandbox.ledger import OUTSIDE, Entry, Holder

from .catalogue import SYMBOLS, asset_of
from .door import when
from .news import News


@dataclass(frozen=True, slots=True)
class Line:
    """One change of one balance, in minor units: what was moved, less a fee."""

    holder: str
    amount: int
    kind: str
    refid: str
    moment: int
    fee: int = 0
    subtype: str = ""


class Books(News):
    """The part of the exchange that keeps what everybody holds."""

    def holder(self, name: str, code: str) -> str:
        """Return the id of somebody's account in one asset, which is opened if need be."""
        id = f"{self.ledger.topic('people')[name]['iban']}:{code}"
        if id not in self.ledger.holders:
            self.ledger.open(self.account(name, id, code, self.clock.now()))
        return id

    def account(self, name: str, id: str, code: str, opened: datetime) -> Holder:
        """Return an account yet to be written to the books."""
        return Holder(id, asset_of(code), opened, {"owner": name, "code": code})

    def accounts(self, name: str) -> list[Holder]:
        """Return everything somebody ever held, in the order it was opened."""
        prefix = f"{self.ledger.topic('people')[name]['iban']}:"
        known = self.ledger.holders.items()
        return [holder for id, holder in known if id.startswith(prefix)]

    def book(self, *lines: Line) -> list[Entry]:
        """Write changes of balances, all or none; what changes nothing is left out."""
        start = len(self.ledger.entries) + 1
        changes = [line for line in lines if line.amount != line.fee]
        entries = [_entry(line, start + i) for i, line in enumerate(changes)]
        self.ledger.move(*entries)
        return entries

    def _enter(
        self, source: str, target: str, amount: int, about: Mapping[str, Any]
    ) -> Entry:
        """Book what came from outside, or went there, as a deposit or a withdrawal."""
        if OUTSIDE not in (source, target):
            raise MoneyError("Nothing moves between two assets")
        holder, kind = (
            (target, "deposit") if source == OUTSIDE else (source, "withdrawal")
        )
        about = dict(about)
        moment = about.pop("when", None) or self.clock.now()
        signed = amount if kind == "deposit" else -amount
        microseconds = int(moment.timestamp() * 10**6)
        number = len(self.ledger.entries) + 1
        with self.lock:
            line = Line(holder, signed, kind, txid("B", number), microseconds)
            (entry,) = self.tell(self.book(line))
            return entry

    def deposit(self, name: str, code: str, amount: str) -> str:
        """Let somebody pay in whole units of an asset; return the ledger's id."""
        return self._paid(name, code, Decimal(amount), "deposit")

    def withdraw(self, name: str, code: str, amount: str) -> str:
        """Let somebody withdraw whole units of an asset."""
        holder = self.holder(name, code)
        wanted = self.ledger.holders[holder].asset.minor(amount)
        if wanted > self.ledger.held[holder] - self.held(name).get(code, 0):
            raise MoneyError("EFunding:Insufficient funds")
        return self._paid(name, code, -Decimal(amount), "withdrawal")

    def stake(self, name: str, code: str, into: str, amount: str) -> None:
        """Move whole units from an asset to its namesake with a suffix, or back."""
        refid = txid("S", len(self.ledger.entries))
        moment, ends = self.moment(), ((code, -1), (into, 1))
        lines = [
            Line(
                self.holder(name, end),
                sign * asset_of(end).minor(amount),
                "transfer",
                refid,
                moment,
            )
            for end, sign in ends
        ]
        self.tell(self.book(*lines))

    def tell(self, entries: list[Entry]) -> list[Entry]:
        """Tell whoever listens to the owner of what was booked; return it again."""
        ids = [id for entry in entries for id in (entry.source, entry.target)]
        holders = [self.ledger.holders[id] for id in ids if id != OUTSIDE]
        for owner in {holder.facts["owner"] for holder in holders}:
            self.told_of_entries(owner, entries)
        return entries

    def grant_credit(self, name: str, code: str, credit: str, used: str) -> None:
        """Give somebody a line of credit in an asset, in whole units."""
        known = self.ledger.topic("people")[name]["credit"]
        self.change(name, credit={**known, code: [credit, used]})

    def _paid(self, name: str, code: str, amount: Decimal, kind: str) -> str:
        holder, moment = self.holder(name, code), self.moment()
        minor = asset_of(code).minor(amount)
        refid = txid("B", len(self.ledger.entries))
        return self.tell(self.book(Line(holder, minor, kind, refid, moment)))[0].id

    # -- what orders hold

    def orders_of(self, name: str) -> list[tuple[str, dict[str, Any]]]:
        """Return somebody's orders, the oldest first."""
        known = self.ledger.topic("orders").items()
        return [(id, order) for id, order in known if order["owner"] == name]

    def held(self, name: str, at: datetime | None = None) -> dict[str, int]:
        """Return what open orders hold of each asset, now or at a moment."""
        found: dict[str, int] = {}
        for _, order in self.orders_of(name):
            if order["leverage"] == 1 and self._was_open(order, at):
                code, minor = self._hold(order, at)
                found[code] = found.get(code, 0) + minor
        return found

    def _was_open(self, order: Mapping[str, Any], at: datetime | None) -> bool:
        if at is None:
            return bool(order["status"] == "open")
        closed = order["closed"]
        return when(order["opened"]) <= at and (not closed or when(closed) > at)

    def _hold(self, order: Mapping[str, Any], at: datetime | None) -> tuple[str, int]:
        pair, left = SYMBOLS[order["market"]], Decimal(order["quantity"])
        trades = self.ledger.topic("trades")
        left -= sum(
            Decimal(trades[id]["quantity"])
            for id in order["trades"]
            if at is None or when(trades[id]["time"]) <= at
        )
        if order["side"] == "sell":
            return pair.base, asset_of(pair.base).minor(left)
        cost = left * Decimal(order["price"])
        if self.settings.extra.get("holds_fee"):  # what is held is not documented
            cost *= Decimal("1.004")
        return pair.quote, rounded(cost, pair.quote, up=True)


def _entry(line: Line, number: int) -> Entry:
    change = line.amount - line.fee
    ends = (OUTSIDE, line.holder) if change > 0 else (line.holder, OUTSIDE)
    facts = {
        "amount": str(line.amount),
        "fee": str(line.fee),
        "refid": line.refid,
        "type": line.kind,
        "subtype": line.subtype,
        "time": line.moment,
    }
    return Entry(txid("L", number), *ends, abs(change), when(line.moment), facts=facts)


def rounded(amount: Decimal, code: str, *, up: bool = False) -> int:
    """Return whole units as minor units of an asset, rounded to the last of them."""
    scaled = amount.scaleb(asset_of(code).decimals)
    return int(scaled.to_integral_value(ROUND_CEILING if up else ROUND_HALF_EVEN))


def txid(letter: str, number: int) -> str:
    """Return an id as Kraken writes them: `OCUG7Z-4EM5R-7ZCJ47`."""
    digest = hashlib.sha256(f"{letter}{number}".encode()).digest()
    text = letter + b32encode(digest).decode()
    return f"{text[:6]}-{text[6:11]}-{text[11:17]}"
