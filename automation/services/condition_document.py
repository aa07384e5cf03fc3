"""Conditions as JSON says them, read as strictly as the rule around them."""

from __future__ import annotations

from datetime import date
from typing import Any

from accounts.moneyjson import money, money_asset, parse_money
from automation.models import Rule
from automation.rules import Problem
from automation.rules.conditions import DEEPEST
from automation.rules.terms import Compare, Conditions, Group
from providers.money import MoneyError

from .fields import NO_ASSET, Reader

SKIP = "skip"
GROUPS = ("all", "any", "not")
COMPARED = {"field", "op", "value", "account"}
NOTHING = Group("all", ())  # stands where nothing could be read; that was noted


def read_conditions(top: Reader) -> Conditions | None:
    """Return the conditions of the rule that `top` reads, or None if it has none."""
    data = top.data.get("conditions")
    if data is None:
        return None
    reader = Reader(data, "conditions", top.problems)
    otherwise = reader.text("else", SKIP, longest=36).lower()
    return Conditions(
        read_test(reader, {"else"}, 0), "" if otherwise == SKIP else otherwise
    )


def read_test(reader: Reader, more: set[str], depth: int) -> Compare | Group:
    """Return one test; `more` are fields that belong to something else."""
    told = [name for name in GROUPS if name in reader.data]
    if not told:
        return read_compare(reader, more)
    if len(told) > 1 or depth > DEEPEST:
        reader.note("", "invalid", "One of all, any and not, and not too deep")
        return NOTHING
    how = told[0]
    reader.only({how, *more})
    rows = [reader.data[how]] if how == "not" else reader.rows(how)
    parts = []
    for index, row in enumerate(rows):
        at = f"{reader.at}.{how}" if how == "not" else f"{reader.at}.{how}.{index}"
        parts.append(read_test(Reader(row, at, reader.problems), set(), depth + 1))
    if how == "not" and parts[0] is NOTHING:
        return NOTHING
    return Group(how, tuple(parts))


def read_compare(reader: Reader, more: set[str]) -> Compare:
    reader.only(COMPARED | more)
    field = reader.text("field", longest=20)
    read = read_date if field == "date" else read_money
    value, asset = read(reader)
    return Compare(
        field=field,
        op=reader.text("op", longest=2),
        value=value,
        account=reader.text("account", longest=36).lower(),
        asset=asset,
    )


def read_date(reader: Reader) -> tuple[date, str]:
    """Return the day that is written as `value`."""
    if reader.data.get("value") is None:
        reader.note("value", "missing_value", "A comparison needs a value")
    return reader.day("value") or date.min, ""


def read_money(reader: Reader) -> tuple[int, str]:
    """Return what is written as `value`; which asset it must be, others decide."""
    value = reader.data.get("value")
    if value is None:
        reader.note("value", "missing_value", "A comparison needs a value")
        return 0, NO_ASSET
    try:
        return parse_money(value), str(money_asset(value))
    except MoneyError as error:
        reader.note("value", "invalid_amount", str(error))
        return 0, NO_ASSET


def written_conditions(conditions: Conditions | None) -> dict[str, Any] | None:
    """Return conditions as `read_conditions` takes them."""
    if conditions is None:
        return None
    told = written_test(conditions.test)
    return told | {"else": conditions.otherwise or SKIP}


def written_test(test: Compare | Group) -> dict[str, Any]:
    if isinstance(test, Group):
        parts = [written_test(part) for part in test.parts]
        return {test.how: parts[0] if test.how == "not" else parts}
    told: dict[str, Any] = {"account": test.account} if test.account else {}
    told |= {"field": test.field, "op": test.op}
    if isinstance(test.value, date):
        return told | {"value": test.value.isoformat()}
    return told | {"value": money(test.value, test.asset)}


def stored_conditions(rule: Rule) -> Conditions | None:
    """Return the conditions of a stored rule; they were judged when it was written."""
    if rule.conditions is None:
        return None
    problems: list[Problem] = []
    found = read_conditions(Reader({"conditions": rule.conditions}, "", problems))
    if problems:
        raise ValueError(f"Rule {rule.pk} holds conditions that cannot be read")
    return found


def accounts_told(data: Any) -> list[Any]:
    """Return what stands as an account in conditions, however wrong they may be."""
    found, waiting = [], [data]
    for _ in range(1000):
        if not waiting:
            break
        part = waiting.pop()
        if isinstance(part, list):
            waiting += part
        elif isinstance(part, dict):
            found.append(part.get("account"))
            waiting += [part.get(how) for how in GROUPS]
    return found
