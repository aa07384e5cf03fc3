"""Whether the conditions of a rule let it move money now, and why."""

from __future__ import annotations

from collections.abc import Iterable

from .conditions import OPERATORS, WORDS, judge
from .draft import Draft
from .known import teller
from .terms import Compare, Conditions

DOUBT = "Nobody knows whether the conditions hold"
NOT_HELD = "The conditions do not hold"
INSTEAD = ": another rule runs instead"


def in_doubt(told: Iterable[str]) -> bool:
    """Tell by the texts of a trace whether nobody knew if the conditions hold."""
    return any(text.startswith(DOUBT) for text in told)


def gave_way(told: Iterable[str]) -> bool:
    """Tell by the texts of a trace whether another rule runs instead."""
    return f"{NOT_HELD}{INSTEAD}" in told


class Gate:
    """Answers the conditions of one rule, and says how."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.doubt = ""

    def opens(self, conditions: Conditions) -> bool:
        """Tell whether the conditions hold; else note that they do not, or may not."""
        draft = self.draft
        found = judge(conditions.test, self.answer)
        if found:
            draft.say("condition", None, "The conditions hold")
        elif found is None:
            draft.block("stale", None, f"{DOUBT}: {self.doubt}")
        else:
            draft.block("condition", None, self.in_vain(conditions))
        return bool(found)

    def in_vain(self, conditions: Conditions) -> str:
        """Say that the conditions do not hold, and what happens instead, if anything."""
        if self.draft.later is not None:
            return f"{NOT_HELD}: they are looked at again on {self.draft.later}"
        self.draft.instead = conditions.otherwise
        return f"{NOT_HELD}{INSTEAD}" if self.draft.instead else NOT_HELD

    def answer(self, test: Compare) -> bool | None:
        """Return whether one comparison holds, and say so; None is unknown."""
        if test.field == "date":
            today = self.draft.today()
            holds = OPERATORS[test.op](today, test.value)
            return self.tell(test, f"Today is {today}", str(test.value), holds)
        told = teller(test.asset)
        wanted = told(int(test.value)) if isinstance(test.value, int) else ""
        if test.field == "amount":
            return self.of_transaction(test, wanted)
        if doubt := self.draft.doubt(test.account, test.asset):
            self.doubt = self.doubt or doubt
            self.draft.say("condition", test.account, doubt)
            return None
        return self.of_balance(test, wanted)

    def of_transaction(self, test: Compare, wanted: str) -> bool:
        """Return what is true of the transaction that made the run due.

        How much moved counts, whichever way, as in triggers.
        """
        if self.draft.amount is None:
            text = "No transaction made this run due, so no condition on one holds"
            self.draft.say("condition", None, text)
            return False
        amount = abs(self.draft.amount)
        text = f"The transaction is {self.draft.money(amount)}"
        return self.tell(test, text, wanted, OPERATORS[test.op](amount, test.value))

    def of_balance(self, test: Compare, wanted: str) -> bool | None:
        """Return what is true of a balance that is known and young enough."""
        held = self.draft.holdings[test.account]
        value = held.total if test.field == "total" else held.available
        if value is None:
            self.doubt = self.doubt or f"The total of {held.name} is not known"
            self.draft.say("condition", test.account, self.doubt)
            return None
        kind = "in all" if test.field == "total" else "available"
        text = f"{held.name} has {teller(test.asset)(value)} {kind}"
        return self.tell(test, text, wanted, OPERATORS[test.op](value, test.value))

    def tell(self, test: Compare, text: str, wanted: str, holds: bool) -> bool:
        """Say how one comparison came out, and return that."""
        verdict = "that is" if holds else "that is not"
        text = f"{text}: {verdict} {WORDS[test.op]} {wanted}"
        self.draft.say("condition", test.account or None, text)
        return holds
