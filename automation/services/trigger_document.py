"""A trigger as JSON says it, read as strictly as the rule around it."""

from __future__ import annotations

from typing import Any

from automation.models import Trigger
from automation.rules.triggers import TriggerSpec

from .fields import Reader

TRIGGER_MONEY = ("min_amount", "max_amount")
TRIGGER_LATER = frozenset({"balance", "transaction", "webhook", "after_rule"})


def read_trigger(data: Any, at: str, asset: str, top: Reader) -> TriggerSpec:
    reader = Reader(data, at, top.problems)
    kind = reader.text("kind", longest=20)
    if kind in TRIGGER_LATER or (kind not in Trigger.Kind.values and kind in UNKEPT):
        reader.note("kind", "unsupported", f"{kind!r} is not supported yet")
        return TriggerSpec("")
    reader.only(TRIGGER_FIELDS)
    blank = TriggerSpec("")
    numbers = {
        name: reader.number(name, getattr(blank, name), 0, 1_000_000)
        for name in TRIGGER_NUMBERS
    }
    return TriggerSpec(
        kind=kind,
        day=label(reader, "day"),
        nth=label(reader, "nth"),
        anchor=reader.moment("anchor"),
        **{name: reader.money(name, asset) for name in TRIGGER_MONEY},
        **{n: reader.text(n, getattr(blank, n)) for n in TRIGGER_TEXTS},
        **numbers,
    )


def label(reader: Reader, name: str) -> str:
    """Return a day or an nth as text; JSON may say 31 or "31"."""
    value = reader.data.get(name)
    if type(value) is int and 0 <= value < 1000:
        return str(value)
    return reader.text(name, longest=4)


UNKEPT = frozenset({"date_range"})
TRIGGER_NUMBERS = (
    "weekday",
    "hour",
    "minute",
    "minutes",
    "look_back_days",
    "cooldown_days",
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
    *("kind", "day", "nth", "anchor"),
    *TRIGGER_MONEY,
    *TRIGGER_NUMBERS,
    *TRIGGER_TEXTS,
}
