"""What Paystack's answers mean. Amounts are whole minor units already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from providers.base import Invariant, Movement, Observation, Reading
from providers.fields import flag, moment, rows, text
from providers.money import Asset, whole

# Kobo, pesewas and cents are documented; what the unit of other currencies is (XOF has
# no coins, and is said to be told in hundredths all the same) is not: they are named.
DECIMALS: Final[Mapping[str, int]] = {"GHS": 2, "KES": 2, "NGN": 2, "USD": 2, "ZAR": 2}
# A business has one number for both, and money for testing is never taken for real.
MODES: Final[Mapping[str, str]] = {"live": "", "test": ":test"}


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the ledger; `balance` is what was held after it."""

    id: int
    business: str
    asset: Asset
    difference: int
    balance: int
    created: datetime
    reason: str
    cause: str  # "Transfer 56610600": the kind and the number of what moved it

    @property
    def account(self) -> str:
        """The external id of its account: the business's number, its mode, the currency."""
        return f"{self.business}:{self.asset.code}"


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the ledger, newest first, and how many there are."""

    entries: Sequence[Entry]
    count: int


def balances(body: Any) -> Mapping[str, int]:
    """Return what `/balance` tells by currency. Source: docs, "Fetch Balance"."""
    found = {text(row["currency"]): whole(row["balance"]) for row in _data(body)}
    if len(found) < len(_data(body)):
        raise ValueError("A currency is listed twice")
    return found


def page(body: Any) -> Page:
    """Return what `/balance/ledger` tells. Source: docs, "Balance Ledger".

    Entries in a currency of an unknown unit are of no account here.
    """
    rows = [row for row in _data(body) if text(row["currency"]) in DECIMALS]
    return Page([_entry(row) for row in rows], whole(body["meta"]["pageCount"]))


def observation(told: Mapping[str, int], body: Any) -> Observation:
    """Return an account for each currency, named after the business in the ledger.

    Money of an unknown unit is no figure: it is said to be missing. Nothing else tells whose key it is. Before anything has ever moved there is nothing
    to tell, either: then no account is listed yet, as its id must never change.
    """
    entries = page(body).entries
    held = {_asset(code): n for code, n in told.items() if code in DECIMALS}
    odd = [code for code, n in told.items() if n and code not in DECIMALS]
    lacks = "; ".join(f"The unit of {c!r:.20} at Paystack is not known" for c in odd)
    businesses = {entry.business for entry in entries}
    if len(businesses) > 1:
        raise ValueError(f"One key has the ledger of {sorted(businesses)}")
    if not businesses:
        if any(held.values()):
            raise ValueError("There is money, and no entry that tells whose it is")
        why = "Nothing has moved yet, so nothing tells whose key this is"
        return Observation([], complete=False, lacks=lacks or why)
    newest: dict[Asset, Entry] = {}
    for entry in entries:
        known = newest.get(entry.asset, entry)
        newest[entry.asset] = max(known, entry, key=lambda e: e.id)
    (business,) = businesses
    return Observation(
        [_reading(business, a, held[a], newest.get(a)) for a in held],
        [
            Invariant("ledger", entry.account, held[asset], entry.balance)
            for asset, entry in newest.items()
            if asset in held
        ],
        complete=not lacks,
        lacks=lacks,
    )


def movement(entry: Entry) -> Movement:
    """Return an entry of the ledger; it is final, and money that left is negative."""
    return Movement(
        str(entry.id),
        entry.difference,
        entry.asset,
        entry.created,
        settled=entry.created,
        description=entry.reason or entry.cause,
        metadata={"cause": entry.cause},
    )


def _reading(business: str, asset: Asset, held: int, newest: Entry | None) -> Reading:
    same = newest is not None and newest.balance == held
    testing = business.endswith(MODES["test"])
    return Reading(
        f"{business}:{asset.code}",
        asset,
        held,
        held,
        name=f"{asset.code} balance" + " (test mode)" * testing,
        kind="wallet",
        balance_id=str(newest.id) if newest is not None and same else "",
    )


def _entry(row: Mapping[str, Any]) -> Entry:
    business = f"{_number(row['integration'])}{MODES[text(row['domain'])]}"
    return Entry(
        _number(row["id"]),
        business,
        _asset(row["currency"]),
        whole(row["difference"]),
        whole(row["balance"]),
        moment(row["createdAt"]),
        row["reason"] if isinstance(row["reason"], str) else "",
        f"{row['model_responsible']} {row['model_row']}"[:100],
    )


def _asset(currency: str) -> Asset:
    return Asset(currency, DECIMALS[currency])


def _number(value: Any) -> int:
    if whole(value) <= 0:
        raise ValueError(f"{value} is no id")
    return whole(value)


def _data(body: Any) -> Sequence[Mapping[str, Any]]:
    if not flag(body["status"]):
        raise ValueError(f"Paystack says no: {body.get('message')!r:.200}")
    return rows(body, "data")
