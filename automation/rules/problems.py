"""Everything that makes a rule a 400: found here once, for API, admin and import."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from decimal import Decimal

from providers.money import LARGEST, Asset, MoneyError

from .grammar import CHOICES, COUNTS, GRAMMAR, UNFED, UNSUPPORTED, Usage
from .localtime import zones
from .terms import Holding, Leg, Problem, RuleSpec

STALEST = 900
SHARES = ("share", "keep_share", "max_share")
AMOUNTS = ("amount", "keep", "floor", "target", "cap", "min_move", "low", "high")
NOT_ZERO = frozenset({"amount", "round_to"})
LIMITS = ("min_move", "per_move", "per_run", "per_day", "per_rule")
STRUCTURE = frozenset({"account", "role", "order", "strategy"})
WORDS = tuple(f.name for f in fields(Leg) if f.name not in STRUCTURE)


def problems(rule: RuleSpec, holdings_static: Mapping[str, Holding]) -> list[Problem]:
    """Return every reason to refuse `rule`, given the accounts its owner may use."""
    found = [*terms_problems(rule), *of_unfed(rule)]
    return found + list(account_problems(rule, holdings_static))


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
    yield from of_asset(rule.asset)
    yield from of_choices(rule)
    yield from of_amount("round_to", "round_to", rule.round_to)
    for name in LIMITS:
        yield from of_amount(f"limits.{name}", name, getattr(rule.limits, name))


def of_asset(asset: str) -> Iterator[Problem]:
    """Yield why this text names no asset."""
    try:
        Asset.parse(asset)
    except MoneyError as error:
        yield Problem("asset", "invalid_asset", str(error))


def of_choices(rule: RuleSpec) -> Iterator[Problem]:
    """Yield policies that do not exist, or do not exist yet."""
    for name, allowed in CHOICES.items():
        value = getattr(rule, name)
        if (name, value) in UNSUPPORTED:
            yield Problem(name, "unsupported", f"{value!r} is not supported yet")
        elif value not in allowed:
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
    if value is None:
        return
    if not isinstance(value, Decimal) or not value.is_finite() or not 0 < value <= 1:
        text = "A share is a decimal, more than 0 and at most 1"
        yield Problem(field, "invalid_share", text)


# The legs


def of_legs(rule: RuleSpec) -> Iterator[Problem]:
    """Yield what is wrong with each leg on its own, and accounts named twice."""
    seen: set[str] = set()
    for index, leg in enumerate(rule.legs):
        at = f"legs.{index}"
        if leg.account in seen:
            text = "Each account may stand in one leg only"
            yield Problem(f"{at}.account", "duplicate_account", text)
        seen.add(leg.account)
        for name in AMOUNTS:
            yield from of_amount(f"{at}.{name}", name, getattr(leg, name))
        for name in SHARES:
            yield from of_share(f"{at}.{name}", getattr(leg, name))
        yield from of_words(rule.kind, leg, at)


def of_words(kind: str, leg: Leg, at: str) -> Iterator[Problem]:
    """Yield roles, strategies and fields that this kind of rule does not take."""
    roles = GRAMMAR.get(kind)
    if roles is None:
        return
    if leg.role not in roles:
        text = f"A leg of {kind} is one of {', '.join(roles)}"
        yield Problem(f"{at}.role", "unknown_role", text)
    elif ("strategy", leg.strategy) in UNSUPPORTED:
        text = f"{leg.strategy!r} is not supported yet"
        yield Problem(f"{at}.strategy", "unsupported", text)
    elif leg.strategy not in roles[leg.role]:
        known = ", ".join(filter(None, roles[leg.role])) or "left out"
        text = f"The strategy of a {leg.role} leg of {kind} is {known}"
        yield Problem(f"{at}.strategy", "unknown_strategy", text)
    else:
        yield from of_usage(leg, roles[leg.role][leg.strategy], at)


def of_usage(leg: Leg, usage: Usage, at: str) -> Iterator[Problem]:
    """Yield fields that are missing, and fields that would be ignored."""
    for name in WORDS:
        given = getattr(leg, name) is not None
        if given and (name, None) in UNSUPPORTED:
            text = f"{name} is not supported yet"
            yield Problem(f"{at}.{name}", "unsupported", text)
        elif name in usage.must and not given:
            text = f"{leg.strategy or leg.role} needs {name}"
            yield Problem(f"{at}.{name}", f"missing_{name}", text)
        elif given and name not in usage.must | usage.may:
            text = f"{leg.strategy or leg.role} does not take {name}"
            yield Problem(f"{at}.{name}", "not_allowed", text)


# The kind


def of_kind(rule: RuleSpec) -> Iterator[Problem]:
    """Yield what is wrong with the legs together."""
    for role, (least, most) in COUNTS.get(rule.kind, {}).items():
        count = sum(leg.role == role for leg in rule.legs)
        if count < least or (most is not None and count > most):
            text = f"{rule.kind} takes {'one' if most else 'at least one'} {role}"
            yield Problem("legs", f"wrong_number_of_{role}s", text)
    if rule.kind == "autosort" and all(leg.role == "source" for leg in rule.legs):
        yield Problem("legs", "no_target", "There is nothing to pour into")
    yield from of_shares(rule)
    yield from of_floors(rule)
    yield from of_order(rule)


def of_shares(rule: RuleSpec) -> Iterator[Problem]:
    """Yield shares of one tier that add up to more than everything."""
    shares = [leg.share for leg in rule.legs if leg.role == "investment"]
    if sum(share for share in shares if isinstance(share, Decimal)) > 1:
        text = "The shares of a tier may add up to at most 1"
        yield Problem("legs", "shares_exceed_one", text)


def of_floors(rule: RuleSpec) -> Iterator[Problem]:
    """Yield sources that may spend on an older reading but name no floor."""
    for index, leg in enumerate(rule.legs):
        bare = leg.role == "source" and leg.floor is None
        if rule.on_stale == "use_floor" and bare:
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


def of_unfed(rule: RuleSpec) -> Iterator[Problem]:
    """Yield strategies that can be planned but that no run is given the facts for."""
    for index, leg in enumerate(rule.legs):
        if leg.strategy in UNFED:
            text = f"{leg.strategy!r} is not supported yet"
            yield Problem(f"legs.{index}.strategy", "unsupported", text)


# The accounts


def account_problems(
    rule: RuleSpec, holdings: Mapping[str, Holding]
) -> Iterator[Problem]:
    """Yield legs whose account is foreign, of another asset, or cannot do its part."""
    for index, leg in enumerate(rule.legs):
        at = f"legs.{index}.account"
        held = holdings.get(leg.account)
        if held is None:
            yield Problem(at, "unknown_account", "There is no such account")
            continue
        if held.asset != rule.asset:
            text = f"{held.name} holds {held.asset}, this rule moves {rule.asset}"
            yield Problem(at, "wrong_asset", text)
        yield from of_abilities(leg, held, at)
        if leg.role == "goal" and leg.target is None and held.goal is None:
            text = f"{held.name} has no goal, so this leg needs a target"
            yield Problem(f"legs.{index}.target", "missing_target", text)
    yield from of_parents(rule, holdings)


def of_abilities(leg: Leg, held: Holding, at: str) -> Iterator[Problem]:
    """Yield moves that the provider does not offer for this account."""
    both = leg.strategy == "balance"
    if (leg.role == "source" or both) and not held.can_send:
        text = f"No money can be taken out of {held.name}"
        yield Problem(at, "cannot_send", text)
    if (leg.role != "source" or both) and not held.can_receive:
        yield Problem(at, "cannot_receive", f"No money can be put into {held.name}")


def of_parents(rule: RuleSpec, holdings: Mapping[str, Holding]) -> Iterator[Problem]:
    """Yield accounts that do not stand in the same account as the first source."""
    known = [holdings.get(leg.account) for leg in rule.legs]
    sources = [
        held
        for leg, held in zip(rule.legs, known, strict=True)
        if held is not None and leg.role == "source"
    ]
    for index, held in enumerate(known):
        if held is not None and sources and held.root != sources[0].root:
            text = f"{held.name} and {sources[0].name} are not parts of one account"
            yield Problem(f"legs.{index}.account", "different_parent", text)
