"""A leg that means many pots, as one leg for each of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from .terms import Holding, Leg, RuleSpec


def spread(rule: RuleSpec, holdings: Mapping[str, Holding]) -> tuple[Leg, ...]:
    """Return the legs of `rule`, those for all pots with a goal written out."""
    for leg in rule.legs:
        if leg.accounts:
            break
    else:
        return rule.legs
    return tuple(
        each
        for leg in rule.legs
        for each in (written_out(leg, rule, holdings) if leg.accounts else (leg,))
    )


def written_out(
    leg: Leg, rule: RuleSpec, holdings: Mapping[str, Holding]
) -> tuple[Leg, ...]:
    """Return a leg for each open pot with a goal around the source, in order of names.

    A pot that has a leg of its own gets no second one.
    """
    named = {each.account for each in rule.legs}
    sources = [
        holdings.get(each.account) for each in rule.legs if each.role == "source"
    ]
    roots = {source.root for source in sources if source is not None}
    pots = [
        held
        for held in holdings.values()
        if held.is_pot
        and held.goal
        and not held.closed
        and held.asset == rule.asset
        and held.root in roots
        and held.account not in named
    ]
    pots.sort(key=lambda held: (held.name, held.account))
    return tuple(replace(leg, account=held.account, accounts="") for held in pots)
