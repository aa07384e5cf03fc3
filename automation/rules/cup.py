"""One pot of an autosort while it is being filled."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from .arithmetic import lowest, part, within
from .draft import Draft
from .paydays import periods_left
from .terms import Leg

GOAL_SHARE = Decimal("0.20")  # a goal may not swallow the whole payday by default


class Cup:
    """Knows how much a pot has got in this run, and how much more it may take.

    `space` is what its goal still lacks, None without a goal; `room` is the tightest of
    goal, cap and greatest share, None where nothing binds. A bad account has no room.
    """

    def __init__(self, draft: Draft, source: Leg, leg: Leg, spare: int) -> None:
        self.leg = leg
        self.name = draft.name(leg.account)
        self.got = 0
        self.short = False
        self.space: int | None = None
        self.room: int | None = 0
        self.bad = draft.stopped(leg.account, leaving=False) or not draft.passes(
            source.account, leg.account
        )
        if not self.bad:
            self.space = lacking(draft, leg)
            self.room = lowest(self.space, leg.cap, most(leg, spare))

    def take(self, draft: Draft, amount: int, why: str = "") -> int:
        """Pour `amount` in as far as there is room, and return what went in."""
        if self.bad or amount <= 0:
            return 0
        taken = within(amount, self.room)
        self.got += taken
        self.room = None if self.room is None else self.room - taken
        self.space = None if self.space is None else self.space - taken
        told = f"{self.name} gets {draft.money(taken)}{why}"
        if taken < amount:
            told += (
                f" instead of {draft.money(amount)}: its goal, cap or greatest share"
            )
            draft.blocks.setdefault("nothing", told)
        draft.say(self.leg.role, self.leg.account, told, taken)
        return taken

    def owe(self, draft: Draft, left: int) -> int:
        """Pay what is owed to this pot out of `left`, and return what went in."""
        wanted = self.wanted(draft)
        if not wanted:
            return 0 if wanted is None else self.enough(draft)
        amount = within(wanted, self.room)
        if amount > left:
            return self.fall_short(draft, amount, left)
        return self.take(draft, wanted)

    def enough(self, draft: Draft) -> int:
        """Say that nothing is owed to this pot."""
        text = f"{self.name} needs nothing"
        draft.block("nothing", self.leg.account, text)
        return 0

    def fall_short(self, draft: Draft, wanted: int, left: int) -> int:
        """Pay what there is, or nothing, as the rule says for a short leg."""
        self.short = True
        text = f"{self.name} wants {draft.money(wanted)}, {draft.money(left)} is left"
        draft.block("funds", self.leg.account, text)
        if draft.pays_part("partial"):
            return self.take(draft, left, ", all that is left")
        return 0

    def wanted(self, draft: Draft) -> int | None:
        """Return what this pot asks for; None where it is left out."""
        if self.bad:
            return None
        if self.leg.strategy == "fixed":
            return self.leg.amount
        if self.leg.strategy == "to_target":
            return self.to_target(draft)
        return self.replenished(draft)

    def to_target(self, draft: Draft) -> int | None:
        """Return what the goal lacks, or this pay period's part; None without a goal."""
        if self.space is None:
            text = f"{self.name} has neither target nor goal"
            draft.block("nothing", self.leg.account, text)
        if not self.space or self.leg.due is None:
            return self.space
        return self.part_until(draft, self.space, self.leg.due)

    def part_until(self, draft: Draft, lacks: int, due: date) -> int:
        """Return the equal part of each pay period left, rounded up: the last is less."""
        rule = draft.rule
        left = periods_left(rule.pay_cycle, rule.timezone, draft.today(), due)
        each = -(-lacks // left)
        periods = "this is the last pay period" if left == 1 else f"{left} pay periods"
        text = f"{self.name} lacks {draft.money(lacks)} until {due}: {periods}"
        draft.say("due", self.leg.account, f"{text}, {draft.money(each)} now", each)
        return each

    def replenished(self, draft: Draft) -> int | None:
        """Return what was spent since payday, or None where nobody knows."""
        spent = draft.spent.get(self.leg.account)
        if spent is None:
            text = f"Nobody knows what was spent from {self.name} since payday"
            draft.block("stale", self.leg.account, text)
            return None
        return max(0, spent)


def lacking(draft: Draft, leg: Leg) -> int | None:
    """Return what a pot lacks to its target, else to its goal; None with neither."""
    goal = draft.holdings[leg.account].goal if leg.target is None else leg.target
    return None if goal is None else max(0, goal - draft.expected(leg.account))


def most(leg: Leg, spare: int) -> int | None:
    """Return the greatest part of a run's money that a leg may get."""
    share = leg.max_share
    if share is None and leg.role == "goal":
        share = GOAL_SHARE
    return None if share is None else part(spare, share)
