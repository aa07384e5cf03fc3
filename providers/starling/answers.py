"""What Starling's answers about accounts and spaces mean. Amounts are minor units already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from providers.base import Invariant, Observation, Place, Reading
from providers.errors import ProviderError
from providers.fields import natural, rows, text
from providers.money import Asset, whole

from .transfers import POT

LOAN: Final = "LOAN"  # it holds no money
OTHER: Final = "other"  # of a type that nobody knew when this was written
# What a fixed term deposit holds cannot be moved.
TYPES: Final[Mapping[str, str]] = {
    "PRIMARY": "current",
    "ADDITIONAL": "current",
    "SAVINGS": "savings",
    "FIXED_TERM_DEPOSIT": "deposit",
}
NAMES: Final[Mapping[str, str]] = {
    "current": "Personal account",
    "savings": "Savings account",
    "deposit": "Fixed term deposit",
    OTHER: "Account",
}
SPENDING: Final = "spending"  # the kind of a space that has a card of its own
DECIMALS: Final[Mapping[str, int]] = {"EUR": 2, "GBP": 2, "USD": 2}
GONE: Final = frozenset({"ARCHIVED", "ARCHIVING"})
STATES: Final = GONE | {"ACTIVE", "CREATING", "PENDING", "RESTORING"}


@dataclass(frozen=True, slots=True)
class Listed:
    """An account as `/accounts` lists it."""

    id: str
    name: str
    currency: str
    kind: str = "current"

    @property
    def has_spaces(self) -> bool:
        return self.kind == "current"


def listed(body: Any) -> list[Listed]:
    """Return the accounts that hold money; older answers tell no type and no name."""
    typed = [
        (row, text(row.get("accountType", "PRIMARY"))) for row in rows(body, "accounts")
    ]
    found = [
        Listed(
            text(row["accountUid"]),
            text(row["name"]) if row.get("name") else NAMES[TYPES.get(kind, OTHER)],
            text(row["currency"]),
            TYPES.get(kind, OTHER),
        )
        for row, kind in typed
        if kind != LOAN
    ]
    if len({account.id for account in found}) < len(found):
        raise ValueError("An account is listed twice")
    return found


def remembered(known: Iterable[Place]) -> list[Listed]:
    """Return accounts that were listed before; their names are not asked again."""
    return [Listed(p.external_id, "", p.asset.code, p.kind) for p in known if p.asset]


@dataclass(frozen=True, slots=True)
class Held:
    """An account's own money, without its spaces; below zero is an overdraft.

    `effective` is `cleared` less what is on its way out. With the spaces it is what the
    `total` figures tell, where the bank tells them.
    """

    asset: Asset
    cleared: int
    effective: int
    total_cleared: int | None
    total_effective: int | None
    overdraft: int


def held(account: Listed, body: Any) -> Held:
    """Return what `/balance` says; raises ValueError on another currency.

    Whether it is money at all is not known of an account of another type.
    """
    if account.kind == OTHER:
        raise ValueError("What type of account this is, is not known here")

    def figure(name: str) -> int:
        return money(body[name], account.currency)

    def perhaps(name: str) -> int | None:
        return figure(name) if name in body else None

    return Held(
        asset_of(account.currency),
        figure("clearedBalance"),
        figure("effectiveBalance"),
        perhaps("totalClearedBalance"),
        perhaps("totalEffectiveBalance"),
        figure("acceptedOverdraft"),
    )


def account_readings(account: Listed, own: Held, body: Any) -> Observation:
    """Return an account and its spaces; the bank's own totals are there to be compared."""
    fixed = account.kind == "deposit"
    main = Reading(
        account.id,
        own.asset,
        own.cleared,
        own.effective,
        max(0, own.cleared - own.effective),
        name=account.name,
        kind=account.kind,
        can_send=not fixed,
        can_receive=not fixed,
        details={"accepted_overdraft": str(own.overdraft)},
    )
    if body is None:
        return Observation([main])
    goals = [_goal(account, row) for row in rows(body, "savingsGoals")]
    cards = [_spending(account, row) for row in rows(body, "spendingSpaces")]
    return Observation([main, *goals, *cards], list(_totals(main, own, goals, cards)))


def _totals(
    main: Reading, own: Held, goals: Sequence[Reading], cards: Sequence[Reading]
) -> Iterable[Invariant]:
    # Whether payments of a space's card are in its balance at once is not written.
    if cards:
        return
    inside = sum(goal.total or 0 for goal in goals)
    for name, told, figure in (
        ("total_cleared_balance", own.total_cleared, own.cleared),
        ("total_effective_balance", own.total_effective, own.effective),
    ):
        if told is not None:
            yield Invariant(name, main.external_id, told, figure + inside)


def _goal(account: Listed, row: Any) -> Reading:
    state = _state(row)
    saved = money(row["totalSaved"], account.currency)
    target = row.get("target")
    # What an archived goal held went back to the account; its figure says nothing.
    amount = None if state in GONE else natural(saved)
    return Reading(
        text(row["savingsGoalUid"]),
        asset_of(account.currency),
        amount,
        amount,
        name=text(row["name"]),
        kind=POT,
        parent=account.id,
        goal=(natural(money(target, account.currency)) or None) if target else None,
        closed=state in GONE,
        can_send=state == "ACTIVE",
        can_receive=state == "ACTIVE",
        details={"state": state},
    )


def _spending(account: Listed, row: Any) -> Reading:
    """Return a space with a card: its money is real, but nothing moves it from outside."""
    state = _state(row)
    balance = natural(money(row["balance"], account.currency))
    amount = None if state in GONE else balance
    return Reading(
        text(row["spaceUid"]),
        asset_of(account.currency),
        amount,
        amount,
        name=text(row["name"]),
        kind=SPENDING,
        parent=account.id,
        closed=state in GONE,
        can_send=False,
        can_receive=False,
        details={"state": state, "type": str(row.get("spendingSpaceType", ""))},
    )


def saved(goal: str, asset: Asset | None, body: Any) -> int:
    """Return what one goal holds, in minor units of its asset."""
    goals = rows(body, "savingsGoals")
    found = [row for row in goals if row["savingsGoalUid"] == goal]
    if len(found) != 1 or asset is None:
        raise ValueError("The goal is not listed")
    return natural(money(found[0]["totalSaved"], asset.code))


def _state(row: Any) -> str:
    state = row.get("state", "ACTIVE")
    if state not in STATES:
        raise ValueError(f"A space cannot be {state!r}")
    return str(state)


def unknown(account: Listed, error: ProviderError) -> Reading:
    """Return an account that did not answer: its amounts are not known."""
    asset = Asset(account.currency, DECIMALS.get(account.currency, 2))
    return Reading(
        account.id,
        asset,
        None,
        None,
        name=account.name,
        kind=account.kind,
        error=str(error) or error.code,
    )


def money(value: Any, expected: str) -> int:
    """Return an amount of `{currency, minorUnits}`; raises ValueError for another currency."""
    if value["currency"] != expected:
        raise ValueError(f"The currency is {value['currency']!r}, not {expected}")
    return whole(value["minorUnits"])


def asset_of(currency: str) -> Asset:
    return Asset(currency, DECIMALS[currency])
