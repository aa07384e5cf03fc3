"""Transactions as the bank lists them: in pages, and not for ever."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from providers.sandbox import clock
from providers.sandbox.ledger import Entry, Holder
from providers.sandbox.wire import Answer, Asked

from .consent import Consent
from .errors import bad, missing, no

OPEN = timedelta(days=90)
EVERYTHING_FOR = 300  # seconds after the consent
SPAN = timedelta(days=365)


class Transactions(Consent):
    """The part of the bank that remembers."""

    def mine(self, asked: Asked, name: str = "account_id") -> Holder:
        """Return the account `asked` names, if the one who asks owns it."""
        user, wanted = self.user(asked), asked.query.get(name)
        if not wanted:
            raise missing(name)
        found = self.ledger.holders.get(wanted)
        if found is None or user not in found.facts.get("owners", ()):
            raise no(404, "not_found.account", "Account not found")
        return found

    def transactions(self, asked: Asked) -> Answer:
        account = self.mine(asked)
        entries = self.ledger.of(account.id, self.seen())
        since, before, limit = self._window(asked, account, entries)
        found = [e for e in entries[since:] if before is None or e.moment < before]
        return Answer.of(
            {"transactions": [self._row(account, e, asked) for e in found[:limit]]}
        )

    def transaction(self, asked: Asked, id: str) -> Answer:
        user, entry = self.user(asked), self.ledger.entries.get(id)
        ends = (entry.source, entry.target) if entry else ()
        holders = [self.ledger.holders[e] for e in ends if e in self.ledger.holders]
        mine = [h for h in holders if user in h.facts.get("owners", ())]
        if entry is None or not mine:
            raise no(404, "not_found.transaction", "Transaction not found")
        return Answer.of({"transaction": self._row(mine[0], entry, asked)})

    def _window(
        self, asked: Asked, account: Holder, entries: list[Entry]
    ) -> tuple[int, datetime | None, int]:
        first, start = _since(asked.query.get("since"), account, entries)
        before = _moment(asked.query.get("before"), "before")
        now = self.clock.now()
        if (before or now) - start > SPAN:
            raise bad("since", "cannot span more than 365 days")
        grant = self.ledger.topics["grants"][self.user(asked)]
        late = self.clock.timestamp() - grant["authenticated"] > EVERYTHING_FOR
        if late and now - start > OPEN:
            raise no(403, "forbidden.verification_required", "Verification required")
        return first, before, _limit(asked.query.get("limit", "30"))

    def _row(self, account: Holder, entry: Entry, asked: Asked) -> dict[str, Any]:
        about, moment = entry.facts, clock.text(entry.moment)
        sign = -1 if entry.source == account.id else 1
        pot = self._pot(account, entry)
        merchant = about.get("merchant", "")
        row = {
            "id": entry.id,
            "account_id": account.id,
            "amount": sign * entry.amount,
            "currency": account.asset.code,
            "local_amount": sign * entry.amount,
            "local_currency": account.asset.code,
            "created": moment,
            "updated": moment,
            "settled": moment if entry.settled else "",
            "description": pot or about.get("description", ""),
            "merchant": _merchant(merchant, asked) if merchant else None,
            "counterparty": {"name": about["counterparty"]}
            if "counterparty" in about
            else {},
            "category": about.get("category", "savings" if pot else "general"),
            "scheme": "uk_retail_pot" if pot else about.get("scheme", "mastercard"),
            "metadata": self._metadata(entry, pot),
            "notes": "",
            "is_load": False,
        }
        return {**row, "decline_reason": entry.declined} if entry.declined else row

    def _pot(self, account: Holder, entry: Entry) -> str:
        other = entry.target if entry.source == account.id else entry.source
        return other if other.startswith("pot_") else ""

    def _metadata(self, entry: Entry, pot: str) -> dict[str, str]:
        if not self.settings.shows_metadata:
            return {}
        found = {"pot_id": pot} if pot else {}
        if entry.dedupe_id and self.settings.shows_dedupe:
            found["external_id"] = entry.dedupe_id
        return found


def _since(
    text: str | None, account: Holder, entries: list[Entry]
) -> tuple[int, datetime]:
    """Return where to begin: after a transaction, or at a moment, inclusive."""
    if text is None:
        return 0, entries[0].moment if entries else account.opened
    for place, entry in enumerate(entries):
        if entry.id == text:
            return place + 1, entry.moment
    start = _moment(text, "since") or account.opened
    later = (i for i, e in enumerate(entries) if e.moment >= start)
    return next(later, len(entries)), start


def _moment(text: str | None, name: str) -> datetime | None:
    if text is None:
        return None
    try:
        return clock.parse(text)
    except ValueError as error:
        raise bad(name, "must be a time or a transaction") from error


def _limit(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 100:
        raise bad("limit", "must be between 1 and 100")
    return int(text)


def _merchant(name: str, asked: Asked) -> Any:
    id = f"merch_{sum(name.encode()):08d}"
    if asked.query.get("expand[]") != "merchant":
        return id
    return {"id": id, "name": name, "category": "general", "emoji": "", "logo": ""}
