"""Everything that makes a rule a 400: found here once, for API, admin and import."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from decimal import Decimal
from functools import lru_cache
from operator import attrgetter
from types import MappingProxyType

from providers.money import LARGEST, Asset, MoneyError

from .account_problems import account_problems
from .conditions import condition_problems
from .grammar import CHOICES, COUNTS, GRAMMAR, Usage
from .localtime import zones
from .paydays import cycle_problems
from .terms import ALL_WITH_GOAL, Holding, Leg, Limits, Problem, RuleSpec

STALEST = 900
SHARES = frozenset({"share", "keep_share", "max_share"})
AMOUNTS = frozenset(
    {"amount", "keep", "floor", "target", "cap", "min_move", "low", "high", "unit"}
)
NOT_ZERO = frozenset({"amount", "round_to", "unit"})
MULTIPLIERS = range(1, 101)
BOUNDLESS = Limits()
LIMITS = ("min_move", "per_move", "per_run", "per_day", "per_rule")
STRUCTURE = frozenset({"account", "accounts", "role", "order", "strategy"})
WORDS = tuple(f.name for f in fields(Leg) if f.name not in STRUCTURE)
SAID = attrgetter(*WORDS)


class Form:
    """Looks at a leg that says nothing but amounts, as most do, in one go."""

    def __init__(self, usage: Usage) -> None:
        taken = [name for name in WORDS if name in usage.takes & AMOUNTS]
        assert len(taken) > 1, "attrgetter tells one value as it is, not as a tuple"
        others = [name for name in WORDS if name not in taken]
        self.must = [name in usage.must for name in taken]
        self.read, self.read_others = attrgetter(*taken), attrgetter(*others)
        self.blank = (None,) * len(others)

    def is_sound(self, leg: Leg) -> bool:
        """Tell whether nothing is wrong with what `leg` says; False: look closer."""
        if self.read_others(leg) != self.blank:
            return False
        for must, value in zip(self.must, self.read(leg), strict=True):
            if value is None:
                if must:
                    return False
            elif type(value) is not int or not 0 < value <= LARGEST:
                return False
        return True


FORMS: Mapping[tuple[str, str, str], Form] = MappingProxyType(
    {
        (kind, role, strategy): Form(usage)
        for kind, roles in GRAMMAR.items()
        for role, strategies in roles.items()
        for strategy, usage in strategies.items()
        if usage.must <= AMOUNTS
    }
)


def problems(rule: RuleSpec, holdings_static: Mapping[str, Holding]) -> list[Problem]:
    """Return every reason to refuse `rule`, given the accounts its owner may use."""
    return [*terms_problems(rule), *account_problems(rule, holdings_static)]


def terms_problems(rule: RuleSpec) -> tuple[Problem, ...]:
    """Return what is wrong with the words of `rule`, whatever its accounts hold."""
    return tuple(of_rule(rule)) + tuple(of_legs(rule)) + tuple(of_kind(rule))


# The rule itself


def of_rule(rule: RuleSpec) -> Iterator[Problem]:
    """Yield what is wrong outside the legs."""
    if rule.kind not in GRAMMAR:
        yield Problem("kind", "unknown_kind", f"{rule.kind!r} is no kind of rule")
    if rule.timezone not in zones():
        text = f"{rule.timezone!r} is no time zone such as Europe/London"
        yield Problem("timezone", "unknown_timezone", text)
    if not 0 <= rule.max_staleness_seconds <= STALEST:
        text = f"A reading may be 0 to {STALEST} seconds old"
        yield Problem("max_staleness_seconds", "out_of_range", text)
    if wrong := asset_problem(rule.asset):
        yield wrong
    yield from of_choices(rule)
    yield from of_amount("round_to", "round_to", rule.round_to)
    if rule.limits != BOUNDLESS:
        for name in LIMITS:
            yield from of_amount(f"limits.{name}", name, getattr(rule.limits, name))
    yield from condition_problems(rule.conditions, rule.asset)
    yield from cycle_problems(rule.pay_cycle)


@lru_cache(maxsize=512)
def asset_problem(asset: str) -> Problem | None:
    """Return why this text names no asset."""
    try:
        Asset.parse(asset)
    except MoneyError as error:
        return Problem("asset", "invalid_asset", str(error))
    return None


def of_choices(rule: RuleSpec) -> Iterator[Problem]:
    """Yield policies that do not exist."""
    for name, allowed in CHOICES.items():
        value = getattr(rule, name)
        if value not in allowed:
            known = ", ".join(sorted(filter(None, allowed)))
            yield Problem(name, "unknown_choice", f"{value!r} is none of {known}")


def of_amount(field: str, name: str, value: object) -> Iterator[Problem]:
    """Yield why this is no amount of minor units."""
    if value is None:
        return
    if type(value) is not int:
        yield Problem(field, "invalid_amount", "An amount is whole minor units")
    elif value < 0:
        yield Problem(field, "negative_amount", "An amount may not be below 0")
    elif value > LARGEST:
        yield Problem(field, "amount_too_large", "No amount is that large")
    elif value == 0 and name in NOT_ZERO:
        yield Problem(field, "zero_amount", "This amount must be more than 0")


def of_share(field: str, value: object) -> Iterator[Problem]:
    """Yield why this is no share."""
    if not isinstance(value, Decimal) or not value.is_finite() or not 0 < value <= 1:
        text = "A share is a decimal, more than 0 and at most 1"
        yield Problem(field, "invalid_share", text)


# The legs


def of_legs(rule: RuleSpec) -> Iterator[Problem]:
    """Yield what is wrong with each leg on its own, and accounts named twice."""
    seen: set[str] = set()
    for index, leg in enumerate(rule.legs):
        name = leg.account or leg.accounts
        if name in seen:
            text = "Each account may stand in one leg only"
            field = "account" if leg.account else "accounts"
            yield Problem(f"legs.{index}.{field}", "duplicate_account", text)
        seen.add(name)
        form = FORMS.get((rule.kind, leg.role, leg.strategy))
        if leg.accounts or form is None or not form.is_sound(leg):
            yield from of_leg(rule.kind, leg, f"legs.{index}")


def of_leg(kind: str, leg: Leg, at: str) -> Iterator[Problem]:
    """Yield what is wrong with a leg by itself, in a rule of this kind."""
    if leg.accounts:
        yield from of_accounts(leg, at)
    said = {n: v for n, v in zip(WORDS, SAID(leg), strict=True) if v is not None}
    for name, value in said.items():
        if name in AMOUNTS:
            yield from of_amount(f"{at}.{name}", name, value)
        elif name in SHARES:
            yield from of_share(f"{at}.{name}", value)
    yield from of_multiplier(leg, at)
    yield from of_words(kind, leg, said, at)


def of_accounts(leg: Leg, at: str) -> Iterator[Problem]:
    """Yield why a leg does not name one account, or many, as it may."""
    if leg.accounts != ALL_WITH_GOAL:
        yield Problem(f"{at}.accounts", "unknown_choice", f"It is {ALL_WITH_GOAL}")
    elif leg.account:
        text = "Give an account or all_with_goal, not both"
        yield Problem(f"{at}.accounts", "not_allowed", text)
    elif leg.role != "goal":
        text = "Only a goal leg may be all_with_goal"
        yield Problem(f"{at}.accounts", "not_allowed", text)
    elif leg.target is not None:
        text = "Each of these pots has a goal of its own"
        yield Problem(f"{at}.target", "not_allowed", text)


def of_multiplier(leg: Leg, at: str) -> Iterator[Problem]:
    """Yield why round-ups cannot be multiplied by this."""
    value = leg.multiplier
    if value is not None and (type(value) is not int or value not in MULTIPLIERS):
        text = "A multiplier is 1 to 100"
        yield Problem(f"{at}.multiplier", "out_of_range", text)


def of_words(
    kind: str, leg: Leg, said: Mapping[str, object], at: str
) -> Iterator[Problem]:
    """Yield roles, strategies and fields that this kind of rule does not take."""
    roles = GRAMMAR.get(kind)
    if roles is None:
        return
    if leg.role not in roles:
        text = f"A leg of {kind} is one of {', '.join(roles)}"
        yield Problem(f"{at}.role", "unknown_role", text)
    elif leg.strategy not in roles[leg.role]:
        known = ", ".join(filter(None, roles[leg.role])) or "left out"
        text = f"The strategy of a {leg.role} leg of {kind} is {known}"
        yield Problem(f"{at}.strategy", "unknown_strategy", text)
    else:
        usage = roles[leg.role][leg.strategy]
        if not usage.must <= said.keys() <= usage.takes:
            yield from of_usage(leg, usage, said, at)


def of_usage(
    leg: Leg, usage: Usage, said: Mapping[str, object], at: str
) -> Iterator[Problem]:
    """Yield fields that are missing, and fields that would be ignored."""
    for name in WORDS:
        if name in usage.must and name not in said:
            text = f"{leg.strategy or leg.role} needs {name}"
            yield Problem(f"{at}.{name}", f"missing_{name}", text)
        elif name in said and name not in usage.takes:
            text = f"{leg.strategy or leg.role} does not take {name}"
            yield Problem(f"{at}.{name}", "not_allowed", text)


# The kind


def of_kind(rule: RuleSpec) -> Iterator[Problem]:
    """Yield what is wrong with the legs together."""
    roles = [leg.role for leg in rule.legs]
    for role, (least, most) in COUNTS.get(rule.kind, {}).items():
        count = roles.count(role)
        if count < least or (most is not None and count > most):
            text = f"{rule.kind} takes {'one' if most else 'at least one'} {role}"
            yield Problem("legs", f"wrong_number_of_{role}s", text)
    if rule.kind == "autosort" and set(roles) <= {"source"}:
        yield Problem("legs", "no_target", "There is nothing to pour into")
    yield from of_shares(rule)
    if rule.on_stale == "use_floor":
        yield from of_floors(rule)
    yield from of_order(rule)


def of_shares(rule: RuleSpec) -> Iterator[Problem]:
    """Yield shares of one tier that add up to more than everything."""
    legs = [leg for leg in rule.legs if leg.role == "investment"]
    if sum([leg.share for leg in legs if isinstance(leg.share, Decimal)]) > 1:
        text = "The shares of a tier may add up to at most 1"
        yield Problem("legs", "shares_exceed_one", text)


def of_floors(rule: RuleSpec) -> Iterator[Problem]:
    """Yield sources that may spend on an older reading but name no floor."""
    for index, leg in enumerate(rule.legs):
        if leg.role == "source" and leg.floor is None:
            text = "use_floor needs a floor on every source"
            yield Problem(f"legs.{index}.floor", "missing_floor", text)


def of_order(rule: RuleSpec) -> Iterator[Problem]:
    """Yield two-way targets that are not low ≤ target ≤ high."""
    for index, leg in enumerate(rule.legs):
        if leg.low is None or leg.target is None or leg.high is None:
            continue
        if not leg.low <= leg.target <= leg.high:
            text = "low ≤ target ≤ high must hold"
            yield Problem(f"legs.{index}.target", "not_in_order", text)
