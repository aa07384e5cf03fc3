"""What can go wrong between a client and an institution, planned beforehand."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Final

from providers.money import PLAIN_DECIMAL

from .chances import Planned, Plans
from .wire import Answer, Asked, Dropped, Late, as_json

Act = Callable[[], Answer]
Spoil = Callable[[Any, "Fault"], Any]
# What money is called in the answers of one institution or another.
AMOUNTS: Final = (
    "balance",
    "amount",
    "free",
    "held",
    "hold",
    "locked",
    "minor",
    "value",
)


@dataclass(slots=True)
class Fault(Planned):
    """One answer that goes wrong; `path` may also be "*part", for what it contains."""

    method: str = ""
    status: int | None = None
    code: str = ""  # a refusal by the name of an error, in the institution's own words
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.prepare(ACTIONS)
        if self.action == "refuse" and not self.code and self.status is None:
            self.code = "refused"  # a 500 would leave the outcome open

    def strikes(self, asked: Asked) -> bool:
        """Say whether this goes wrong now, and use up one of the times."""
        return self._matches(asked) and self.due()

    def _matches(self, asked: Asked) -> bool:
        if self.method and self.method != asked.method:
            return False
        if self.path.startswith("*"):
            return self.path[1:] in asked.path
        return asked.path.startswith(self.path)


class Plan(Plans[Fault]):
    """What goes wrong with the answers of one institution."""

    def take(self, asked: Asked) -> Fault | None:
        """Return the fault that strikes `asked`, if one does."""
        return self.first(lambda fault: fault.strikes(asked))


def _delay(fault: Fault, act: Act) -> Answer:
    answer = act()
    return replace(answer, delay=answer.delay + fault.seconds)


def _drop_before(fault: Fault, act: Act) -> Answer:
    raise Dropped


def _act_then_drop(fault: Fault, act: Act) -> Answer:
    act()
    raise Dropped


def _act_then_fail(fault: Fault, act: Act) -> Answer:
    act()
    return _fail(fault, act)


def _fail(fault: Fault, act: Act) -> Answer:
    return Answer.of(fault.body or {}, fault.status or 500, fault.headers)


def _late_apply(fault: Fault, act: Act) -> Answer:
    raise Late(fault.seconds, fault.status)


def _rate_limited(fault: Fault, act: Act) -> Answer:
    after = {"Retry-After": f"{fault.seconds:.0f}"} if fault.seconds else {}
    return Answer.of(fault.body or {}, 429, {**after, **fault.headers})


def _garbage(fault: Fault, act: Act) -> Answer:
    return replace(act(), body=b"<html><body>Bad gateway</body></html>")


def _truncated(fault: Fault, act: Act) -> Answer:
    answer = act()
    return replace(answer, body=answer.body[: len(answer.body) // 2])


def _cut(fault: Fault, act: Act) -> Answer:
    return replace(act(), cut=True)


def _duplicate_keys(fault: Fault, act: Act) -> Answer:
    answer = act()
    first = next(iter(json.loads(answer.body)), "id")
    doubled = b"{" + json.dumps(first).encode() + b": null, " + answer.body.lstrip()[1:]
    return replace(answer, body=doubled)


def _spoiled(
    change: Callable[[str, Any, Fault], Any],
) -> Callable[[Fault, Act], Answer]:
    def apply(fault: Fault, act: Act) -> Answer:
        answer = act()
        found = _walk(_read(answer), lambda k, v: change(k, v, fault))
        return replace(answer, body=as_json(found).encode())

    return apply


def _read(answer: Answer) -> Any:
    return json.loads(answer.body, parse_float=Decimal)


def _walk(value: Any, change: Callable[[str, Any], Any], key: str = "") -> Any:
    if isinstance(value, dict):
        return {k: _walk(v, change, k) for k, v in value.items()}
    if isinstance(value, list):
        return [_walk(v, change, key) for v in value]
    return change(key, value)


def _is_money(key: str, value: Any) -> bool:
    if isinstance(value, str):
        return bool(PLAIN_DECIMAL.fullmatch(value)) and any(w in key for w in AMOUNTS)
    return type(value) in (int, Decimal) and any(word in key for word in AMOUNTS)


def _like(value: Any, amount: Decimal) -> Any:
    """Return `amount` in the form of `value`: a number, or a text without an exponent."""
    if isinstance(value, Decimal):
        return amount
    return f"{amount:f}" if isinstance(value, str) else int(amount)


def _nan(key: str, value: Any, fault: Fault) -> Any:
    return float("nan") if _is_money(key, value) else value


def _wrong_currency(key: str, value: Any, fault: Fault) -> Any:
    return (fault.value or "USD") if key in ("currency", "asset") else value


def _wrong_amount(key: str, value: Any, fault: Fault) -> Any:
    if not _is_money(key, value):
        return value
    return _like(value, Decimal(value) + int(fault.value or 1))


def _negative(key: str, value: Any, fault: Fault) -> Any:
    return _like(value, -abs(Decimal(value)) - 1) if _is_money(key, value) else value


def _replace(key: str, value: Any, fault: Fault) -> Any:
    return fault.value.get(key, value)


def _reordered(fault: Fault, act: Act) -> Answer:
    answer = act()
    found = {k: v[::-1] if isinstance(v, list) else v for k, v in _read(answer).items()}
    return replace(answer, body=as_json(found).encode())


def _as_asked(fault: Fault, act: Act) -> Answer:
    return act()


ACTIONS: Final[Mapping[str, Callable[[Fault, Act], Answer]]] = {
    "delay": _delay,
    "drop_before": _drop_before,
    "act_then_drop": _act_then_drop,
    "act_then_500": _act_then_fail,
    "late_apply": _late_apply,
    "refuse": _fail,
    "5xx": _fail,
    "429": _rate_limited,
    "garbage": _garbage,
    "truncated": _truncated,
    "cut": _cut,
    "duplicate_keys": _duplicate_keys,
    "nan": _spoiled(_nan),
    "wrong_currency": _spoiled(_wrong_currency),
    "wrong_amount": _spoiled(_wrong_amount),
    "negative": _spoiled(_negative),
    "replace": _spoiled(_replace),
    "reordered": _reordered,
    # These two change what the institution sees; the institution knows how.
    "clock_skew": _as_asked,
    "read_lag": _as_asked,
}
