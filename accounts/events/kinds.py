"""The kinds of events. Layers above add their own when they start."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of event; `lasting`: it begins, goes on and ends.

    `ends` is another name for its end; `wanted`: told to who has not chosen.
    """

    name: str
    label: str
    lasting: bool = False
    ends: str = ""
    wanted: bool = True


KINDS: dict[str, Kind] = {}


def register(*kinds: Kind) -> None:
    """Make `kinds` known, and choosable; doing it twice is doing it once."""
    KINDS.update({kind.name: kind for kind in kinds})


def kind_named(name: str) -> str:
    """Return the kind that people choose to hear of events called `name`."""
    ending = (kind.name for kind in KINDS.values() if kind.ends == name)
    return next(ending, name)


register(
    Kind("balance_update", "Any balance changes", wanted=False),
    Kind("balance_change", "A balance changes by a set amount or share"),
    Kind("low_balance", "A balance is below its threshold", lasting=True),
    Kind("drift", "Two figures do not agree", lasting=True),
    Kind("stale", "Balances are older than they should be", lasting=True),
    Kind("validation_failed", "An answer or a reading is not believed", lasting=True),
    Kind(
        "account_protected",
        "An account is protected: no rule moves its money",
        lasting=True,
        ends="account_released",
    ),
    Kind(
        "fallback_activated",
        "A source fails: its last good balances are shown",
        lasting=True,
        ends="source_recovered",
    ),
    Kind("no_good_sync", "A source was not heard of for hours", lasting=True),
    Kind("consent_expiring", "A consent ends soon", lasting=True),
)
