"""How amounts are written: as JSON's numbers, in the unit that is set, exactly."""

from __future__ import annotations

import json
import re
from typing import Any, Final

from providers.money import Asset
from providers.sandbox.wire import Answer

# Marks a number that is written as it stands: a float would not hold each amount.
MARK: Final = "\ue000"
MARKED: Final = re.compile(f'"{MARK}(-?[0-9.]+){MARK}"', re.ASCII)


def number(amount: int, asset: Asset, scale: str) -> Any:
    """Return minor units as Fincra tells them: 1234.5 in whole units, or all as they are."""
    if scale == "minor":
        return amount
    written = asset.major(amount)
    if "." in written:
        written = written.rstrip("0").removesuffix(".")
    return f"{MARK}{written}{MARK}"


def written(told: Any) -> str:
    """Return `told` as JavaScript would write it."""
    text = json.dumps(told, separators=(",", ":"), ensure_ascii=False)
    return MARKED.sub(r"\1", text)


def answer(told: Any) -> Answer:
    return Answer.of(written(told).encode())
