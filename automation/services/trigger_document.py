"""A trigger as JSON says it, read as strictly as the rule around it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from accounts.moneyjson import money_asset, parse_money
from automation.rules.triggers import TriggerSpec
from providers.money import MoneyError

from .fields import Reader

AssetOf = Callable[[Any], str]  # of an account's or a rule's id; "" if nobody knows it
SEEN_MONEY = ("min_amount", "max_amount")  # in the rule's asset
HELD_MONEY = ("above", "below", "rearm")  # in the watched account's asset
MOVED_MONEY = ("min_moved",)  # in the asset of the rule that goes before
TRIGGER_MONEY = (*SEEN_MONEY, *HELD_MONEY, *MOVED_MONEY)


def read_trigger(
    data: Any, at: str, asset: str, top: Reader, account_asset: AssetOf, rule: AssetOf
) -> TriggerSpec:
    """Return what `data` says of a trigger in a rule that moves `asset`.

    Money is in the asset of what it is compared with: the rule's own, the watched
    account's (`account_asset` tells), or that of the other rule (`rule` tells).
    """
    reader = Reader(data, at, top.problems)
    kind = reader.text("kind", longest=20)
    reader.only(TRIGGER_FIELDS)
    held = known(reader, "account", account_asset)
    moved = known(reader, "rule", rule)
    blank = TriggerSpec("")
    numbers = {
        name: reader.number(name, getattr(blank, name), 0, 1_000_000)
        for name in TRIGGER_NUMBERS
    }
    return TriggerSpec(
        kind=kind,
        day=reader.label("day"),
        nth=reader.label("nth"),
        anchor=reader.moment("anchor"),
        account=reader.text("account").lower() if held else "",
        rule=reader.text("rule").lower() if moved else "",
        **{name: amount(reader, name, asset) for name in SEEN_MONEY},
        **{name: amount(reader, name, held) for name in HELD_MONEY},
        **{name: amount(reader, name, moved) for name in MOVED_MONEY},
        **{n: reader.text(n, getattr(blank, n)) for n in TRIGGER_TEXTS},
        **numbers,
    )


def known(reader: Reader, name: str, asset_of: AssetOf) -> str:
    """Return the asset of what the field `name` names, and note it if nobody knows it."""
    if reader.data.get(name) is None:
        return ""
    asset = asset_of(reader.data[name])
    if not asset:
        reader.note(name, f"unknown_{name}", f"There is no such {name}")
    return asset


def amount(reader: Reader, name: str, asset: str) -> int | None:
    """Return an amount that must be in `asset`; where that is unknown, in any."""
    value = reader.data.get(name)
    if value is None:
        return None
    try:
        if asset and (told := str(money_asset(value))) != asset:
            text = f"This is compared with money in {asset}, not in {told}"
            reader.note(name, "wrong_asset", text)
            return None
        return parse_money(value)
    except MoneyError as error:
        reader.note(name, "invalid_amount", str(error))
        return None


TRIGGER_NUMBERS = (
    "weekday",
    "hour",
    "minute",
    "minutes",
    "look_back_days",
    "cooldown_days",
    "start_day",
    "end_day",
)
TRIGGER_TEXTS = (
    "expression",
    "business_day",
    "calendar",
    "pattern",
    "category",
    "merchant",
)
TRIGGER_FIELDS = {
    *("kind", "day", "nth", "anchor", "account", "rule"),
    *TRIGGER_MONEY,
    *TRIGGER_NUMBERS,
    *TRIGGER_TEXTS,
}
