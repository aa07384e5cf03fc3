"""What changed each wallet: an entry for every movement, and for what is kept back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from providers.sandbox import clock
from providers.sandbox.ledger import Entry, Holder
from providers.sandbox.merchants import Merchants

from . import speech

FIRST_LOG: Final = 7_400_000
KINDS: Final = ("available", "ledger", "locked")
Log = Mapping[str, Any]


class Logs(Merchants):
    """The part of Fincra that remembers."""

    @property
    def scale(self) -> str:
        """The unit of all amounts told: nobody documents which one the real one has."""
        found: str = self.settings.extra.get("amount_scale", "minor")
        return found

    def logs_of(self, wallet: str) -> Sequence[Log]:
        """Return what changed a wallet, oldest first, as far as reads see it now."""
        found = list(self.ledger.topic(topic_of(wallet)).values())
        if (seen := self.seen()) is None:
            return found
        return [log for log in found if clock.parse(log["moment"]) <= seen]

    def told_log(self, log: Log, wallet: Holder) -> dict[str, Any]:
        """Return an entry as the log tells it. Source: OpenAPI, "WalletLog"."""
        told = {
            f"{kind}Balance{when}": self.number(wallet, int(log[when.lower()][kind]))
            for kind in KINDS
            for when in ("Before", "After")
        }
        return {
            "id": log["id"],
            "reference": f"log-{log['id']}",
            "action": log["action"],
            "amount": self.number(wallet, int(log["amount"])),
            "currency": wallet.asset.code,
            "method": "wallet",
            "reason": log["reason"],
            "description": log["description"],
            "merchantDescription": None,
            "merchantReference": None,
            **told,
            "rollingReserveBalanceBefore": 0,
            "rollingReserveBalanceAfter": 0,
            "createdAt": stamp(log["moment"]),
        }

    def number(self, wallet: Holder, amount: int) -> Any:
        return speech.number(amount, wallet.asset, self.scale)

    def enter(self, entry: Entry) -> None:
        """Write a movement to the books and to the log of its wallet."""
        before = {w: self.figures(w) for w in self._ends(entry)}
        unlocked = int(entry.facts.get("unlocked", 0))
        super().enter(entry)
        for wallet, held in before.items():
            effect = entry.effect(wallet)
            after = {
                "ledger": held["ledger"] + effect,
                "locked": held["locked"] - unlocked,
                "available": held["available"] + effect + unlocked,
            }
            about = entry.facts.get("description", "")
            self._note(wallet, (held, after), "movement", about)

    def _ends(self, entry: Entry) -> list[str]:
        ends = (entry.source, entry.target)
        return [] if entry.declined else [e for e in ends if e in self.ledger.holders]

    def keep_back(self, wallet: str, amount: int, reason: str) -> None:
        """Lock so much of a wallet, or, below zero, make it available again."""
        held = self.figures(wallet)
        after = {
            "ledger": held["ledger"],
            "locked": held["locked"] + amount,
            "available": held["available"] - amount,
        }
        self._note(wallet, (held, after), reason, "")

    def figures(self, wallet: str) -> dict[str, int]:
        """Return what a wallet really holds now."""
        known = list(self.ledger.topic(topic_of(wallet)).values())
        last = known[-1] if known else None
        locked = int(last["after"]["locked"]) if last else 0
        total = self.ledger.held[wallet]
        return {"ledger": total, "locked": locked, "available": total - locked}

    def _note(
        self,
        wallet: str,
        figures: tuple[Mapping[str, int], Mapping[str, int]],
        reason: str,
        about: str,
    ) -> None:
        number = self.ledger.topic("state").get("logged", FIRST_LOG) + 1
        log = log_of(number, figures, reason, about)
        log["moment"] = clock.text(self.clock.now())
        facts = (topic_of(wallet), str(number), log), ("state", "logged", number)
        self.ledger.put(*facts, sync=False)


def topic_of(wallet: str) -> str:
    """Return under which topic the log of a wallet is kept."""
    return f"log {wallet}"


def log_of(
    number: int,
    figures: tuple[Mapping[str, int], Mapping[str, int]],
    reason: str,
    about: str,
) -> dict[str, Any]:
    """Return an entry of the log, not dated yet; amounts are texts of minor units."""
    before, after = figures
    moved = after["available"] - before["available"]
    amount = moved or after["ledger"] - before["ledger"]
    return {
        "id": number,
        "action": "credit" if amount > 0 else "debit",
        "amount": str(abs(amount)),
        "reason": reason,
        "description": about,
        "before": {k: str(v) for k, v in before.items()},
        "after": {k: str(v) for k, v in after.items()},
    }


def stamp(moment: str) -> str:
    """Return a moment as wallets tell it: in whole seconds."""
    return moment[:19] + ".000Z"
