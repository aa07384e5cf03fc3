"""Conditions: what must be so before a rule moves money. Unknown is a third answer."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from types import MappingProxyType
from typing import Any

from providers.money import LARGEST, Asset, MoneyError

from .terms import Compare, Conditions, Group, Problem

BALANCES = frozenset({"total", "available"})
FIELDS = ("total", "available", "date", "amount")
DEEPEST = 8  # groups inside of groups
MOST = 50  # comparisons of one rule

OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = MappingProxyType(
    {
        "<": operator.lt,
        "<=": operator.le,
        "=": operator.eq,
        "!=": operator.ne,
        ">=": operator.ge,
        ">": operator.gt,
    }
)
WORDS: Mapping[str, str] = MappingProxyType(
    {
        "<": "below",
        "<=": "at most",
        "=": "exactly",
        "!=": "other than",
        ">=": "at least",
        ">": "above",
    }
)


def comparisons(
    test: Compare | Group, at: str = "conditions"
) -> Iterator[tuple[str, Compare]]:
    """Yield every comparison of `test` as written, and where it stands."""
    if isinstance(test, Compare):
        yield at, test
        return
    for index, part in enumerate(test.parts):
        inner = f"{at}.not" if test.how == "not" else f"{at}.{test.how}.{index}"
        yield from comparisons(part, inner)


def depth(test: Compare | Group) -> int:
    """Return how many groups stand inside each other."""
    if isinstance(test, Compare):
        return 0
    return 1 + max((depth(part) for part in test.parts), default=0)


def accounts_of(conditions: Conditions | None) -> tuple[str, ...]:
    """Return the accounts whose balances are asked about, each once."""
    if conditions is None:
        return ()
    named = (each.account for _, each in comparisons(conditions.test))
    return tuple(dict.fromkeys(filter(None, named)))


def judge(
    test: Compare | Group, answer: Callable[[Compare], bool | None]
) -> bool | None:
    """Return whether `test` holds, by Kleene's logic: None where nobody can know.

    Every comparison is answered, also where the result is certain before.
    """
    if isinstance(test, Compare):
        return answer(test)
    found = [judge(part, answer) for part in test.parts]
    if test.how == "not":
        return None if found[0] is None else not found[0]
    certain = test.how == "any"
    if certain in found:
        return certain
    return None if None in found else not certain


# Problems


def condition_problems(conditions: Conditions | None, asset: str) -> Iterator[Problem]:
    """Yield what is wrong with the words of conditions in a rule that moves `asset`."""
    if conditions is None:
        return
    found = list(comparisons(conditions.test))
    if len(found) > MOST:
        text = f"At most {MOST} comparisons"
        yield Problem("conditions", "too_many", text)
    if depth(conditions.test) > DEEPEST:
        text = f"At most {DEEPEST} groups inside each other"
        yield Problem("conditions", "too_deep", text)
    if not found:
        yield Problem("conditions", "empty", "A group needs a comparison")
    for at, test in found:
        yield from of_compare(test, asset, at)


def of_compare(test: Compare, asset: str, at: str) -> Iterator[Problem]:
    """Yield what is wrong with one comparison."""
    if test.field not in FIELDS:
        yield Problem(f"{at}.field", "unknown_field", f"It is {', '.join(FIELDS)}")
        return
    if test.op not in OPERATORS:
        text = f"It is one of {' '.join(OPERATORS)}"
        yield Problem(f"{at}.op", "unknown_choice", text)
    if test.field in BALANCES and not test.account:
        text = f"{test.field} is of an account"
        yield Problem(f"{at}.account", "missing_account", text)
    if test.field not in BALANCES and test.account:
        text = f"{test.field} is of no account"
        yield Problem(f"{at}.account", "not_allowed", text)
    yield from of_value(test, asset, f"{at}.value")


def of_value(test: Compare, asset: str, at: str) -> Iterator[Problem]:
    """Yield why nothing can be held against this value."""
    if test.field == "date":
        if isinstance(test.value, datetime) or not isinstance(test.value, date):
            yield Problem(at, "invalid", "A date such as 2026-01-31")
        return
    if type(test.value) is not int:
        yield Problem(at, "invalid_amount", "An amount is whole minor units")
    elif not -LARGEST <= test.value <= LARGEST:
        yield Problem(at, "amount_too_large", "No amount is that large")
    if test.field == "amount" and test.asset != asset:
        yield Problem(at, "wrong_asset", f"This rule moves {asset}")
    try:
        Asset.parse(test.asset)
    except MoneyError as error:
        yield Problem(at, "invalid_asset", str(error))
