"""What is known of accounts at the moment of planning, and why it may not be enough."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache

from providers.money import LARGEST, SYMBOLS, Asset

from .terms import Holding, Problem, RuleError, RuleSpec

LIVE_SECONDS = 5  # how old a reading may be when money leaves a current account
STALE_SECONDS = 900  # no rule may act on anything older
NOBODY: frozenset[str] = frozenset()
TYPED = "manual"  # a person's word holds until the next one


MOST_PARTS = 1_000  # of a unit, whose words are worked out beforehand


class Teller:
    """Says amounts of one asset as people do: `£1,234.56`; a plan says many."""

    def __init__(self, asset: str) -> None:
        unit = Asset.parse(asset)
        symbol = SYMBOLS.get(unit.code)
        self.before, self.after = symbol or "", "" if symbol else f" {unit.code}"
        self.scale, self.decimals = 10**unit.decimals, unit.decimals
        known = range(self.scale if self.scale <= MOST_PARTS else 0)
        self.tails = [self.tail(part) for part in known]

    def __call__(self, minor: int) -> str:
        """Return an amount of minor units, also one no bank could hold."""
        if minor < 0:
            return f"-{self(-minor)}"
        whole, part = divmod(minor, self.scale)
        tail = self.tails[part] if self.tails else self.tail(part)
        return f"{self.before}{whole:,}{tail}"

    def tail(self, part: int) -> str:
        """Return what follows the whole units: `.56`."""
        cents = f".{part:0{self.decimals}}" if self.decimals else ""
        return f"{cents}{self.after}"


teller = lru_cache(maxsize=512)(Teller)


def floored(rule: RuleSpec) -> frozenset[str]:
    """Return the accounts that may be spent on an older reading, down to their floor."""
    return frozenset([leg.account for leg in rule.legs if leg.floor is not None])


class Known:
    """The holdings that a plan rests on, seen with the eyes of one rule.

    `older`: somebody is asked about readings that the rule itself would not act on.
    """

    def __init__(
        self,
        rule: RuleSpec,
        holdings: Mapping[str, Holding],
        now: datetime,
        *,
        preview: bool,
        older: bool,
    ) -> None:
        if now.tzinfo is None:
            raise RuleError([Problem("now", "naive_time", "A moment needs a zone")])
        self.rule = rule
        self.holdings = holdings
        self.now = now
        self.preview = preview
        self.older = older
        self.money = teller(rule.asset)
        # Younger than this is young enough for whatever a balance is needed for.
        self.young = min(LIVE_SECONDS, rule.max_staleness_seconds)
        self.floored = floored(rule) if rule.on_stale == "use_floor" else NOBODY

    def name(self, account: str) -> str:
        """Return what the owner calls an account."""
        held = self.holdings.get(account)
        return (held and held.name) or account

    def available(self, account: str) -> int:
        """Return the known balance of an account that gave no trouble."""
        available = self.holdings[account].available
        if available is None:  # trouble() is asked for first
            raise RuleError
        return available

    def age(self, held: Holding) -> int | None:
        """Return how many seconds old a reading is, or None."""
        if held.age_seconds is not None:
            return held.age_seconds
        if held.as_of is None or held.as_of.tzinfo is None:
            return None
        return int((self.now - held.as_of).total_seconds())

    def trouble(self, account: str, *, leaving: bool) -> tuple[str, str] | None:
        """Return what is wrong with an account: a code and words, the gravest first."""
        held = self.holdings.get(account)
        if held is None:
            return "stale", f"{account} has never been read"
        if self.is_sound(held, leaving=leaving):
            return None
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

    def is_sound(self, held: Holding, *, leaving: bool) -> bool:
        """Tell whether an account gives no trouble at all, as most do."""
        usable = held.can_send if leaving else held.can_receive
        if held.protected or held.closed or not usable:
            return False
        available, age = held.available, held.age_seconds
        if available is None or age is None or held.asset != self.rule.asset:
            return False
        return age <= self.young and -LARGEST <= available <= LARGEST

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
        limit = STALE_SECONDS
        if not self.older:
            limit = min(self.rule.max_staleness_seconds, STALE_SECONDS)
            careless = self.preview or held.account in self.floored
            if leaving and not held.is_pot and not careless:
                limit = min(limit, LIVE_SECONDS)
        age = self.age(held)
        if age is None:
            return f"Nobody knows how old the balance of {held.name} is"
        if age > limit:
            return f"The balance of {held.name} is {age} s old, more than {limit} s"
        return None

    def doubt(self, account: str, asset: str) -> str | None:
        """Return why a balance that is only looked at cannot be held against anything."""
        held = self.holdings.get(account)
        if held is None:
            return f"{account} has never been read"
        if held.closed:
            return f"{held.name} is closed: nobody reads it any more"
        if held.available is None:
            return f"The balance of {held.name} is not known"
        if held.asset != asset:
            return f"{held.name} holds {held.asset}, not {asset}"
        return None if held.source == TYPED else self.too_old(held, leaving=False)
