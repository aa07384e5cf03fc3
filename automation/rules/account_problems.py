"""What makes a rule a 400 because of the accounts it names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .conditions import comparisons
from .terms import Holding, Leg, Problem, RuleSpec


def account_problems(
    rule: RuleSpec, holdings: Mapping[str, Holding]
) -> Iterator[Problem]:
    """Yield legs whose account is foreign, of another asset, or cannot do its part."""
    for index, leg in enumerate(rule.legs):
        if leg.accounts:
            continue
        at = f"legs.{index}.account"
        held = holdings.get(leg.account)
        if held is None:
            yield Problem(at, "unknown_account", "There is no such account")
            continue
        if held.asset != rule.asset:
            text = f"{held.name} holds {held.asset}, this rule moves {rule.asset}"
            yield Problem(at, "wrong_asset", text)
        yield from of_abilities(leg, held, at)
        if leg.strategy == "round_ups" and held.is_pot:
            text = f"{held.name} is a pot: nobody pays from it by card"
            yield Problem(at, "no_payments", text)
        if leg.role == "goal" and leg.target is None and held.goal is None:
            text = f"{held.name} has no goal, so this leg needs a target"
            yield Problem(f"legs.{index}.target", "missing_target", text)
    yield from of_parents(rule, holdings)
    yield from of_asked(rule, holdings)


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


def of_asked(rule: RuleSpec, holdings: Mapping[str, Holding]) -> Iterator[Problem]:
    """Yield conditions on foreign accounts, and values in another asset than theirs."""
    if rule.conditions is None:
        return
    for at, test in comparisons(rule.conditions.test):
        if not test.account:
            continue
        held = holdings.get(test.account)
        if held is None:
            text = "There is no such account"
            yield Problem(f"{at}.account", "unknown_account", text)
        elif held.asset != test.asset:
            text = f"{held.name} holds {held.asset}"
            yield Problem(f"{at}.value", "wrong_asset", text)
