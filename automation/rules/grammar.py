"""Which words each leg of each kind of rule may and must use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Usage:
    """What one strategy must say, and what it may say besides."""

    must: frozenset[str]
    takes: frozenset[str]  # what it must say, too


def usage(must: str = "", may: str = "") -> Usage:
    """Return a usage from words divided by spaces; every leg may say `min_move`."""
    return Usage(frozenset(must.split()), frozenset(f"{must} {may} min_move".split()))


RESERVE = "keep keep_share floor"
BOUNDS = "target cap max_share"
GOAL = f"{BOUNDS} due"
PAID = {
    "fixed": usage("amount", BOUNDS),
    "to_target": usage("", BOUNDS),
}

# kind → role → strategy → usage; a role that takes no strategy has "".
GRAMMAR: Mapping[str, Mapping[str, Mapping[str, Usage]]] = MappingProxyType(
    {
        "sweep": {
            "source": {
                "fixed": usage("amount", f"{RESERVE} cap"),
                "share": usage("share", f"{RESERVE} cap"),
                "above": usage("keep", f"{RESERVE} cap"),
                "all": usage("", f"{RESERVE} cap"),
                "round_ups": usage("unit", f"multiplier {RESERVE} cap"),
            },
            "target": {"": usage("", "cap")},
        },
        "autosort": {
            "source": {"": usage("", RESERVE)},
            "bills": {"replenish": usage("", BOUNDS), **PAID},
            "priority": PAID,
            "goal": {"to_target": usage("", GOAL)},
            "investment": {
                "share": usage("share", BOUNDS),
                "fixed": PAID["fixed"],
                "equal": usage("", BOUNDS),
            },
        },
        "topup": {
            "source": {"": usage("", RESERVE)},
            "target": {
                "fixed": usage("amount", "cap"),
                "to_target": usage("target", "amount cap"),
                "balance": usage("low target high", "cap"),
            },
        },
    }
)

# How many legs of a role a kind takes: at least, at most.
COUNTS: Mapping[str, Mapping[str, tuple[int, int | None]]] = MappingProxyType(
    {
        "sweep": {"source": (1, None), "target": (1, 1)},
        "autosort": {"source": (1, 1)},
        "topup": {"source": (1, 1), "target": (1, 1)},
    }
)

CHOICES: Mapping[str, frozenset[str | None]] = MappingProxyType(
    {
        "rest": frozenset({"redistribute", "keep"}),
        "on_stale": frozenset({"skip", "ask", "use_floor"}),
        "on_short": frozenset({None, "refuse", "partial", "retry_next"}),
    }
)
