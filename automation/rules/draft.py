"""A plan in the making: what was read, what is wanted, and why something is not."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from operator import attrgetter

from providers.money import LARGEST, Asset, pretty

from .arithmetic import part_up
from .identity import plan_hash
from .terms import Holding, Leg, Move, Plan, Problem, RuleError, RuleSpec, Step

LIVE_SECONDS = 5  # how old a reading may be when money leaves a current account
STALE_SECONDS = 900  # no rule may act on anything older

# Which of several reasons names the outcome when nothing moves.
PRECEDENCE = ("disabled", "protected", "stale", "closed", "funds", "limit")

BY_ORDER = attrgetter("order")
asset_of = lru_cache(maxsize=512)(Asset.parse)


class Draft:
    """Gathers what a planner decides; a planner only says what it wants."""

    def __init__(
        self,
        rule: RuleSpec,
        holdings: Mapping[str, Holding],
        *,
        now: datetime,
        spent: Mapping[str, int],
        preview: bool,
    ) -> None:
        if now.tzinfo is None:
            raise RuleError([Problem("now", "naive_time", "A moment needs a zone")])
        self.rule = rule
        self.in_order = sorted(rule.legs, key=BY_ORDER)
        self.asset = asset_of(rule.asset)
        self.holdings = holdings
        self.now = now
        self.spent = spent
        self.preview = preview
        self.wants: list[tuple[Move, int]] = []
        self.trace: list[Step] = []
        self.blocks: dict[str, str] = {}

    def money(self, minor: int) -> str:
        """Return an amount for people, also one no bank could hold."""
        if -LARGEST <= minor <= LARGEST:
            return pretty(minor, self.asset)
        return f"{minor} {self.asset.code}"

    def name(self, account: str) -> str:
        """Return what the owner calls an account."""
        held = self.holdings.get(account)
        return (held and held.name) or account

    def legs(self, *roles: str) -> list[Leg]:
        """Return the legs of `roles`: roles as given, then by order, then as written."""
        return [leg for role in roles for leg in self.in_order if leg.role == role]

    def say(
        self, step: str, account: str | None, text: str, amount: int | None = None
    ) -> None:
        """Note one decision."""
        self.trace.append(Step(step, account, text, amount))

    def block(self, code: str, account: str | None, text: str) -> None:
        """Note why something does not move; the first reason of each code is told."""
        self.blocks.setdefault(code, text)
        self.say(code, account, text)

    def want(self, source: Leg, target: Leg, amount: int) -> None:
        """Ask for one move; limits are applied when all are asked for."""
        if amount > 0:
            move = Move(source.account, target.account, amount)
            least = max(source.min_move or 0, target.min_move or 0)
            self.wants.append((move, least))

    # Balances

    def available(self, account: str) -> int:
        """Return the known balance of an account that gave no trouble."""
        available = self.holdings[account].available
        if available is None:  # troubles() are asked for first
            raise RuleError
        return available

    def age(self, held: Holding) -> int | None:
        """Return how many seconds old a reading is, or None."""
        if held.age_seconds is not None:
            return held.age_seconds
        if held.as_of is None or held.as_of.tzinfo is None:
            return None
        return int((self.now - held.as_of).total_seconds())

    def spare(self, leg: Leg) -> int:
        """Return how much may leave a source: what is above its reserve, never less than 0."""
        available = self.available(leg.account)
        shared = part_up(available, leg.keep_share) if leg.keep_share else 0
        reserve = max(leg.keep or 0, shared, leg.floor or 0)
        spare = max(0, available - reserve)
        told = f"{self.name(leg.account)} has {self.money(available)}"
        if reserve:
            told += f", keeps {self.money(reserve)}, may give {self.money(spare)}"
        self.say("source", leg.account, told, spare)
        return self.careful(leg, spare)

    def careful(self, leg: Leg, spare: int) -> int:
        """Cut `spare` where an older reading of a current account is spent."""
        held = self.holdings[leg.account]
        age = self.age(held)
        if held.is_pot or age is None or age <= LIVE_SECONDS:
            return spare
        if self.rule.on_stale != "use_floor":
            text = f"This reading is {age} s old; a run reads it again first"
            self.say("reading", leg.account, text)
            return spare
        sure = self.available(leg.account) - (leg.floor or 0) - held.largest_drop
        careful = max(0, min(spare, sure))
        text = f"On a reading {age} s old at most {self.money(careful)} is spent"
        self.say("use_floor", leg.account, text, careful)
        return careful

    # Trouble

    def stopped(self, account: str, *, leaving: bool) -> bool:
        """Tell whether an account cannot take part, and note the gravest reason."""
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

    def trouble(self, account: str, *, leaving: bool) -> tuple[str, str] | None:
        """Return what is wrong with an account: a code and words, the gravest first."""
        held = self.holdings.get(account)
        if held is None:
            return "stale", f"{account} has never been read"
        if held.protected:
            return "protected", f"{held.name} is protected: no money moves in or out"
        if doubt := self.unknown(held) or self.too_old(held, leaving=leaving):
            return "stale", doubt
        if held.closed:
            return "closed", f"{held.name} is closed"
        if leaving and not held.can_send:
            return "closed", f"No money can be taken out of {held.name}"
        if not leaving and not held.can_receive:
            return "closed", f"No money can be put into {held.name}"
        return None

    def unknown(self, held: Holding) -> str | None:
        """Return why a balance cannot be used at all."""
        if held.available is None:
            return f"The balance of {held.name} is not known"
        if held.asset != self.rule.asset:
            return f"{held.name} holds {held.asset}, not {self.rule.asset}"
        if not -LARGEST <= held.available <= LARGEST:
            return f"The balance of {held.name} is no possible amount"
        return None

    def too_old(self, held: Holding, *, leaving: bool) -> str | None:
        """Return why a reading is too old for what it is needed for."""
        limit = min(self.rule.max_staleness_seconds, STALE_SECONDS)
        careless = self.preview or self.rule.on_stale == "use_floor"
        if leaving and not held.is_pot and not careless:
            limit = min(limit, LIVE_SECONDS)
        age = self.age(held)
        if age is None:
            return f"Nobody knows how old the balance of {held.name} is"
        if age > limit:
            return f"The balance of {held.name} is {age} s old, more than {limit} s"
        return None

    # The end

    def finish(self, moves: tuple[Move, ...], terms: str) -> Plan:
        """Return the plan: its moves, or the gravest reason why there are none."""
        readings = tuple(self.reading(leg.account) for leg in self.rule.legs)
        return Plan(
            *self.outcome(moves),
            moves=moves,
            trace=tuple(self.trace),
            readings=readings,
            plan_hash=plan_hash(terms, moves, readings, self.spent),
        )

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
