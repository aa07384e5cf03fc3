"""A plan in the making: what was read, what is wanted, and why something is not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import cached_property
from operator import attrgetter

from .arithmetic import reserve
from .identity import besides, plan_hash
from .known import LIVE_SECONDS, STALE_SECONDS, Known
from .localtime import zone_of
from .spread import spread
from .terms import Holding, Leg, Move, Plan, RuleSpec, Step

__all__ = ["LIVE_SECONDS", "PRECEDENCE", "STALE_SECONDS", "Draft"]

# Which of several reasons names the outcome when nothing moves.
PRECEDENCE = ("disabled", "protected", "condition", "stale", "closed", "funds", "limit")
BY_ORDER = attrgetter("order")


class Draft(Known):
    """Gathers what a planner decides; a planner only says what it wants."""

    def __init__(
        self,
        rule: RuleSpec,
        holdings: Mapping[str, Holding],
        now: datetime,
        *,
        spent: Mapping[str, int],
        payments: Mapping[str, Sequence[int]],
        owed: Mapping[str, int],
        amount: int | None,
        before: Sequence[Move],
        asked: Sequence[str],
        preview: bool,
        older: bool,
        later: date | None,
    ) -> None:
        super().__init__(rule, holdings, now, preview=preview, older=older)
        self.all_legs = spread(rule, holdings)
        self.in_order = sorted(self.all_legs, key=BY_ORDER)
        self.spent = spent
        self.payments = payments
        self.owed = owed
        self.amount = amount
        self.before = before
        self.asked = asked
        self.wants: list[tuple[Move, int]] = []
        self.trace: list[Step] = []
        self.blocks: dict[str, str] = {}
        self.retry = False
        self.later = later
        self.instead = ""

    @cached_property
    def served(self) -> frozenset[str]:
        """Return the accounts of the legs whose part of this occurrence was moved."""
        gives = self.rule.kind == "sweep"
        return frozenset(m.source if gives else m.target for m in self.before)

    def gone(self, account: str = "") -> int:
        """Return how much this occurrence has moved, in all or out of one account."""
        return sum(m.amount for m in self.before if account in ("", m.source))

    def legs(self, *roles: str) -> list[Leg]:
        """Return the legs of `roles`: roles as given, then by order, then as written."""
        return [leg for role in roles for leg in self.in_order if leg.role == role]

    def today(self) -> date:
        """Return the date in the rule's own zone."""
        return self.now.astimezone(zone_of(self.rule.timezone)).date()

    def say(
        self, step: str, account: str | None, text: str, amount: int | None = None
    ) -> None:
        """Note one decision."""
        self.trace.append(Step(step, account, text, amount))

    def block(self, code: str, account: str | None, text: str) -> None:
        """Note why something does not move; the first reason of each code is told."""
        self.blocks.setdefault(code, text)
        self.say(code, account, text)

    def want(self, source: Leg, target: Leg, amount: int) -> bool:
        """Ask for one move, and tell whether it is big enough to be made.

        Limits are applied when all are asked for.
        """
        of_rule = self.rule.limits.min_move or 0
        least = max(source.min_move or 0, target.min_move or 0, of_rule)
        if amount > 0:
            move = Move(source.account, target.account, amount)
            self.wants.append((move, least))
        return amount >= least

    def pays_part(self, default: str) -> bool:
        """Tell whether a leg that is short gets what there is; else it gets nothing."""
        policy = self.rule.on_short or default
        if policy == "retry_next":
            self.retry = True
            self.say("retry", None, "It is tried again after the next sync")
        return policy == "partial"

    # Balances

    def expected(self, account: str) -> int:
        """Return what an account holds once it has what is on its way to it."""
        coming = self.holdings[account].coming
        if coming:
            text = f"{self.money(coming)} is on its way to {self.name(account)}"
            self.say("coming", account, text, coming)
        return self.available(account) + coming

    def spare(self, leg: Leg) -> int:
        """Return how much may leave a source: what is above its reserve, never less than 0."""
        available = self.available(leg.account)
        kept = self.reserve(leg)
        spare = max(0, available - kept)
        told = f"{self.name(leg.account)} has {self.money(available)}"
        if kept:
            told += f", keeps {self.money(kept)}, may give {self.money(spare)}"
        self.say("source", leg.account, told, spare)
        return self.careful(leg, spare)

    def reserve(self, leg: Leg, *, drop: int = 0) -> int:
        """Return what must stay at a source."""
        return reserve(
            self.available(leg.account) + self.gone(leg.account),
            keep=leg.keep,
            keep_share=leg.keep_share,
            floor=leg.floor,
            drop=drop,
        )

    def careful(self, leg: Leg, spare: int) -> int:
        """Cut `spare` where an older reading of a current account is spent."""
        held = self.holdings[leg.account]
        age = None if held.is_pot else self.age(held)
        if age is None or age <= LIVE_SECONDS:
            return spare
        if leg.account not in self.floored:
            next_ = (
                "nothing leaves before it is read again"
                if self.older
                else "a run reads it again first"
            )
            self.say("reading", leg.account, f"This reading is {age} s old; {next_}")
            return spare
        kept = self.reserve(leg, drop=held.largest_drop)
        careful = max(0, min(spare, self.available(leg.account) - kept))
        text = f"On a reading {age} s old at most {self.money(careful)} is spent"
        self.say("use_floor", leg.account, text, careful)
        return careful

    # Trouble

    def stopped(self, account: str, *, leaving: bool) -> bool:
        """Tell whether an account cannot take part, and note the gravest reason."""
        if account in self.served:
            text = f"{self.name(account)} had its part of this occurrence already"
            self.block("nothing", account, text)
            return True
        trouble = self.trouble(account, leaving=leaving)
        if trouble is not None:
            self.block(trouble[0], account, trouble[1])
        return trouble is not None

    def passes(self, source: str, target: str) -> bool:
        """Tell whether money may pass from `source` to `target`, and note why not.

        Between two pots it passes through the account they are in.
        """
        giver = self.holdings[source]
        if not giver.is_pot or giver.inside is None or giver.inside == target:
            return True
        between = self.holdings.get(giver.inside)
        if between is None or not (between.protected or between.closed):
            return True
        code = "protected" if between.protected else "closed"
        text = f"{between.name}, which this passes through, is {code}"
        self.block(code, target, text)
        return False

    # The end

    def finish(self, moves: tuple[Move, ...], terms: str) -> Plan:
        """Return the plan: its moves, or the gravest reason why there are none."""
        legs = tuple([self.reading(leg.account) for leg in self.all_legs])
        outcome, reason = self.outcome(moves)
        return Plan(
            outcome,
            reason,
            moves,
            tuple(self.trace),
            legs + self.others(legs) if self.asked else legs,
            plan_hash(terms, moves, legs, self.spent, self.besides(legs)),
            self.retry,
            instead=self.instead,
        )

    def others(self, legs: Sequence[Holding]) -> tuple[Holding, ...]:
        """Return what was known of accounts that only conditions ask about."""
        named = {held.account for held in legs}
        return tuple(self.reading(name) for name in self.asked if name not in named)

    def besides(self, legs: Sequence[Holding]) -> str:
        """Return for the hash what only some rules look at."""
        unnamed = self.all_legs is not self.rule.legs
        if not (self.asked or unnamed or self.payments):
            return ""
        seen = [self.reading(name) for name in self.asked]
        return besides([*legs, *seen] if unnamed else seen, self.payments, self.owed)

    def reading(self, account: str) -> Holding:
        """Return what was known of an account, also when that is nothing."""
        held = self.holdings.get(account)
        if held is not None:
            return held
        return Holding(account, account, self.rule.asset, None, None, source="unknown")

    def outcome(self, moves: tuple[Move, ...]) -> tuple[str, str]:
        """Return outcome and reason."""
        disabled = "This rule is disabled. " if self.shown_disabled() else ""
        if moves:
            total = self.money(sum(move.amount for move in moves))
            count = "1 move" if len(moves) == 1 else f"{len(moves)} moves"
            return "planned", f"{disabled}{count}, {total} in all"
        for code in PRECEDENCE:
            if code in self.blocks:
                return f"skipped_{code}", disabled + self.blocks[code]
        return "nothing_to_do", disabled + self.blocks.get("nothing", "Nothing to do")

    def shown_disabled(self) -> bool:
        """Tell whether this previews a rule that would not run."""
        return self.preview and not self.rule.enabled
