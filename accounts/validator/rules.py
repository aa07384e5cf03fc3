"""The rules a reading is judged by. A rule: one function, and one line in `RULES`.

`garbage`, `rewritten`, `drift` and `mass_disappearance` are judged elsewhere: as an
answer is read, where trades are told again, by an account's limits, and where what is
missing is counted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Context, Decimal
from operator import attrgetter

from accounts.verdicts import Heard, Known
from providers.base import Reading
from providers.money import Asset

from .fiat import FIAT
from .sources import differ

# Returns what is wrong, or nothing. Amounts are whole: an answer is read before that.
Check = Callable[[Reading, Known, Heard], str]
Make = Callable[[Decimal, Asset], Check]

BLOCKING = frozenset({"error", "critical"})
# A bank lets these go below zero, and holds back what only an overdraft covers.
MAY_OWE = frozenset(
    {"business", "card", "credit", "current", "joint", "loan", "margin"}
)
WIDE = Context(prec=160)
FINEST_FIAT = 4  # decimals: no currency of a state has more
# Where trades leave fractions of the smallest coin, which are kept.
KEEPS_FRACTIONS = frozenset({"exchange", "futures", "earn", "staked", "margin"})
# No moment is older than so many seconds; a longer stretch of time there cannot be.
LONGEST_AGE = timedelta.max // timedelta(seconds=1)
# What was computed, or another source said, is compared only if it is as young as this.
SAME_TIME = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that may be wrong with a reading; `unit` is the threshold's.

    `fiat` is the threshold for money of states where that differs, but for the kinds
    `fiat_unless`; `unless` are the kinds of accounts it is off for until it is switched
    on for that very kind.
    """

    name: str
    label: str
    severity: str
    threshold: Decimal = Decimal(0)
    unit: str = ""
    make: Make | None = None
    fiat: Decimal | None = None
    fiat_unless: frozenset[str] = frozenset()
    unless: frozenset[str] = frozenset()
    always: bool = False  # judged even where no figure changed
    adjustable: bool = True

    def usual(self, asset: Asset, kind: str = "") -> Decimal:
        """Return the threshold for `asset` where nobody has set one."""
        if self.fiat is None or asset.code not in FIAT or kind in self.fiat_unless:
            return self.threshold
        return self.fiat


def minor(whole: Decimal, asset: Asset) -> int:
    """Return a threshold in whole units as minor units, rounded towards zero."""
    return int(whole.scaleb(asset.decimals, context=WIDE))


def not_below(read: Callable[[Reading], int], words: str) -> Make:
    """Return the rule that an amount lies no more than the threshold below zero."""

    def make(threshold: Decimal, asset: Asset) -> Check:
        least = -minor(threshold, asset)

        def check(reading: Reading, before: Known, heard: Heard) -> str:
            amount = read(reading)
            if amount >= least:
                return ""
            return words.format(f"{asset.major(amount)} {asset.code}")

        return check

    return make


def held_exceeds_total(threshold: Decimal, asset: Asset) -> Check:
    more = minor(threshold, asset)

    def check(reading: Reading, before: Known, heard: Heard) -> str:
        if reading.held <= 0 or reading.held <= reading.total + more:
            return ""
        held, total = asset.major(reading.held), asset.major(reading.total)
        return f"{held} {asset.code} are held back of {total}"

    return check


def sources_disagree(threshold: Decimal, asset: Asset) -> Check:
    def check(reading: Reading, before: Known, heard: Heard) -> str:
        if before.source in (heard.source, "manual", "import"):
            return ""
        if before.total is None or before.as_of is None:
            return ""
        if heard.asked_at - before.as_of > SAME_TIME:
            return ""
        if not differ(before.total, reading.total, threshold):
            return ""
        ours, theirs = asset.major(before.total), asset.major(reading.total)
        return f"{before.source} said {ours} {asset.code}, {heard.source} {theirs}"

    return check


def unrealistic(threshold: Decimal, asset: Asset) -> Check:
    most = minor(threshold, asset)

    def check(reading: Reading, before: Known, heard: Heard) -> str:
        for amount in (reading.total, reading.available, reading.held):
            if abs(amount) > most:
                return f"{asset.major(amount)} {asset.code} is more than anybody has"
        return ""

    return check


def stale(threshold: Decimal, asset: Asset) -> Check:
    oldest = timedelta(seconds=min(int(threshold), LONGEST_AGE))

    def check(reading: Reading, before: Known, heard: Heard) -> str:
        if reading.as_of is None or heard.fetched_at - reading.as_of <= oldest:
            return ""
        return f"It is as of {reading.as_of:%Y-%m-%d %H:%M:%S} UTC"

    return check


def too_precise(threshold: Decimal, asset: Asset) -> Check:
    told = f"{asset.decimals} decimals are too many for {asset.code}"
    wrong = told if asset.decimals > threshold else ""

    def check(reading: Reading, before: Known, heard: Heard) -> str:
        return wrong

    return check


UNITS, MORE = "whole units", "whole units more"
RULES: dict[str, Rule] = {
    rule.name: rule
    for rule in (
        Rule(
            "negative",
            "Less than nothing",
            "error",
            unit="whole units below zero",
            make=not_below(attrgetter("total"), "It holds {}"),
            unless=MAY_OWE,
        ),
        Rule(
            "negative_available",
            "Less than nothing available",
            "error",
            unit="whole units below zero",
            make=not_below(attrgetter("available"), "{} are available"),
            unless=MAY_OWE,
        ),
        Rule(
            "held_exceeds_total",
            "More held back than there is",
            "error",
            unit=MORE,
            make=held_exceeds_total,
            unless=MAY_OWE,
        ),
        Rule(
            "sources_disagree",
            "Two sources disagree",
            "warning",
            Decimal(1),
            "percent",
            sources_disagree,
        ),
        Rule(
            "unrealistic",
            "More than anybody has",
            "error",
            Decimal(10**15),
            UNITS,
            unrealistic,
            fiat=Decimal(10**12),
        ),
        Rule(
            "stale",
            "Old when it came",
            "warning",
            Decimal(300),
            "seconds",
            stale,
            always=True,
        ),
        Rule(
            "too_precise",
            "Too precise for the asset",
            "error",
            Decimal(30),
            "decimals",
            too_precise,
            fiat=Decimal(FINEST_FIAT),
            fiat_unless=KEEPS_FRACTIONS,
        ),
        Rule("all_zero", "Everything is zero at once", "error", Decimal(3), "accounts"),
        Rule(
            "mass_disappearance",
            "Most accounts are missing at once",
            "error",
            Decimal(50),
            "percent",
        ),
        Rule("garbage", "No figure", "error", adjustable=False),
        Rule("rewritten", "Told otherwise than before", "error", adjustable=False),
        Rule("drift", "Changed by more than the limits", "error", adjustable=False),
    )
}
