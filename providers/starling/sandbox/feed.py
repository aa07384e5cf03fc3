"""The feed: every movement, newest first, with when it was last changed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from providers.sandbox import clock
from providers.sandbox.ledger import Entry, Holder
from providers.sandbox.wire import Answer, Asked

from . import errors
from .consent import Consent

YEAR = timedelta(days=366)
NAMES = UUID("1c0e9c55-52b6-5a0a-8d4c-6f1d2ad1a0b7")  # of everything this bank names


class Feed(Consent):
    """The part of the bank that remembers."""

    def uid(self, about: str) -> str:
        """Return the id of something, which is the same after a restart."""
        return str(uuid5(NAMES, f"{self.slug} {about}"))

    def mine(self, asked: Asked, id: str, *scopes: str) -> Holder:
        """Return the account `asked` is about, if the one who asks owns it."""
        holder = self.holder(asked, *scopes)
        found = self.ledger.holders.get(id)
        if found is None or found.facts.get("owner") != holder or _inside(found):
            raise errors.no(404, errors.NO_ACCOUNT)
        if found.facts["closed"]:
            raise errors.no(404, errors.NO_ACCOUNT)
        return found

    def changes(self, asked: Asked, account: str, category: str) -> Answer:
        place = self._category(asked, account, category)
        since = _moment(asked.query, "changesSince")
        if self.clock.now() - since > YEAR:
            raise errors.no(400, "changesSince must be within 1 year")
        entries = self.ledger.of(place.id, self.seen())
        return self._told(place, [e for e in entries if updated(e) >= since])

    def between(self, asked: Asked, account: str, category: str) -> Answer:
        place = self._category(asked, account, category)
        start = _moment(asked.query, "minTransactionTimestamp")
        end = _moment(asked.query, "maxTransactionTimestamp")
        if end < start or end - start > YEAR:
            raise errors.no(400, "The date range must not exceed 1 year")
        entries = self.ledger.of(place.id, self.seen())
        return self._told(place, [e for e in entries if start <= e.moment <= end])

    def feed_item(self, asked: Asked, account: str, category: str, item: str) -> Answer:
        place = self._category(asked, account, category)
        entry = self.ledger.entries.get(item)
        if entry is None or place.id not in (entry.source, entry.target):
            raise errors.no(404, "UNKNOWN_FEED_ITEM")
        return Answer.of(self.row(place, entry))

    def _category(self, asked: Asked, account: str, category: str) -> Holder:
        """Return what a category of an account holds: its own money, or a space's."""
        own = self.mine(asked, account, "transaction:read")
        if own.facts["category"] == category:
            return own
        space = self.ledger.holders.get(category)
        if space is None or space.facts.get("parent") != own.id:
            raise errors.no(404, "UNKNOWN_CATEGORY")
        return space

    def _told(self, place: Holder, entries: list[Entry]) -> Answer:
        newest = entries[::-1][: self.settings.extra.get("longest_feed")]
        return Answer.of({"feedItems": [self.row(place, e) for e in newest]})

    def row(self, place: Holder, entry: Entry) -> dict[str, Any]:
        """Return an item as one side sees it."""
        about, amount = entry.facts, self._amount(place, entry.amount)
        leaving = entry.source == place.id
        other = self.ledger.holders.get(entry.target if leaving else entry.source)
        row = {
            "feedItemUid": entry.id,
            "categoryUid": place.facts.get("category", place.id),
            "amount": amount,
            "sourceAmount": amount,
            "direction": "OUT" if leaving else "IN",
            "updatedAt": clock.text(updated(entry)),
            "transactionTime": clock.text(entry.moment),
            **({"settlementTime": clock.text(updated(entry))} if _done(entry) else {}),
            **(_inside_party(other) if other else _outside_party(about, leaving)),
            "status": _status(entry),
            "country": "GB",
            "spendingCategory": _category_of(about, bool(other), leaving),
        }
        if entry.declined:
            row["feedItemFailureReason"] = entry.declined
        shown = self.settings.shows_metadata and self.settings.shows_dedupe
        if about.get("reference") and (shown or not other):
            row["reference"] = about["reference"]
        return row

    def _amount(self, place: Holder, amount: int) -> dict[str, Any]:
        return {"currency": place.asset.code, "minorUnits": amount}

    # -- books

    def _enter(
        self, source: str, target: str, amount: int, about: Mapping[str, Any]
    ) -> Entry:
        """Make a movement; one that comes late was changed when it came."""
        known = dict(about)
        if known.get("when") is not None:
            known["updated"] = clock.text(self.clock.now())
        if "description" in known:
            known["reference"] = known["description"]
        return super()._enter(source, target, amount, known)

    def numbered(self, number: int) -> str:
        return self.uid(f"item {number}")

    def settle(self, entry: str, **changes: Any) -> None:
        with self.lock:
            facts = dict(self.ledger.entries[entry].facts)
            facts["updated"] = clock.text(self.clock.now())
            super().settle(entry, facts=facts, **changes)
            self.outbox.extend(self.callbacks(self.ledger.entries[entry]))


def updated(entry: Entry) -> datetime:
    """Return when an item was last changed, or made."""
    told = entry.facts.get("updated")
    return clock.parse(told) if told else entry.moment


def _inside(holder: Holder) -> bool:
    return "parent" in holder.facts


def _done(entry: Entry) -> bool:
    return entry.settled and not entry.declined


def _status(entry: Entry) -> str:
    if entry.declined:
        return "REVERSED" if entry.declined == "REVERSED" else "DECLINED"
    return "SETTLED" if entry.settled else "PENDING"


def _inside_party(other: Holder) -> dict[str, Any]:
    return {
        "source": "INTERNAL_TRANSFER",
        "counterPartyType": "CATEGORY",
        "counterPartyUid": other.facts.get("category", other.id),
        "counterPartyName": other.facts["name"],
    }


def _outside_party(about: Mapping[str, Any], leaving: bool) -> dict[str, Any]:
    """Return who was paid: by card, unless it was somebody with an account."""
    if about.get("merchant") or (leaving and "counterparty" not in about):
        merchant = about.get("merchant") or "Card payment"
        return {
            "source": "MASTER_CARD",
            "sourceSubType": "ONLINE",
            "counterPartyType": "MERCHANT",
            "counterPartyUid": str(uuid5(NAMES, f"merchant {merchant}")),
            "counterPartyName": merchant,
        }
    name = about.get("counterparty", "Faster payment")
    return {
        "source": "FASTER_PAYMENTS_OUT" if leaving else "FASTER_PAYMENTS_IN",
        "counterPartyType": "PAYEE" if leaving else "SENDER",
        "counterPartyUid": str(uuid5(NAMES, f"party {name}")),
        "counterPartyName": name,
    }


def _category_of(about: Mapping[str, Any], inside: bool, leaving: bool) -> str:
    usual = "SAVING" if inside else "GENERAL" if leaving else "INCOME"
    return str(about.get("category", usual)).upper()


def _moment(query: Mapping[str, str], name: str) -> datetime:
    try:
        return clock.parse(query[name])
    except KeyError as error:
        raise errors.no(400, f"{name} is required") from error
    except ValueError as error:
        raise errors.no(400, f"{name} is no date-time") from error
