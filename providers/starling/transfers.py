"""Money into and out of a savings goal, under an id of ours in the path."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from providers.base import Place, Receipt
from providers.errors import OutcomeUnknown, Refused
from providers.money import Asset
from providers.wire import Request

from .oauth import segment
from .words import refusal

POT: Final = "pot"  # the kind of a savings goal
REFERENCE: Final = "balsync "  # before our name, in what people read in the app
LONGEST: Final = 100  # characters of a reference


def order(
    source: Place,
    target: Place,
    amount: int,
    *,
    id: str,
    name: str,
    headers: Mapping[str, str],
) -> Request:
    """Return the request that moves `amount` minor units, once for one `id`.

    Raises Refused for places that do not say what they hold.
    """
    into = target.kind == POT and target.parent == source.external_id
    pot, account = (target, source) if into else (source, target)
    asset = unit_of(pot, account)
    if asset is None:
        raise Refused("Nobody said in which currency to move money")
    wish = {
        "amount": {"currency": asset.code, "minorUnits": amount},
        "reference": (REFERENCE + name)[:LONGEST],
    }
    goal = f"{segment(account.external_id)}/savings-goals/{segment(pot.external_id)}"
    return Request(
        "PUT",
        f"/api/v2/account/{goal}/{'add' if into else 'withdraw'}-money/{id}",
        headers={**headers, "Content-Type": "application/json"},
        body=json.dumps(wish).encode(),
        may_move_money=True,
    )


def unit_of(*places: Place) -> Asset | None:
    """Return what these hold, which is the same, if any of them says so."""
    said = [place.asset or place.unit for place in places]
    return next((asset for asset in said if asset), None)


def receipt(bank: str, id: str, row: Any) -> Receipt:
    """Return what the bank says of a transfer; raises what it says instead of yes.

    It tells no amount and no balance. An answer of 200 may be a no.
    """
    success, errors = row["success"], row.get("errors", [])
    if success is False:
        raise refusal(bank, errors)
    if success is not True or errors:
        raise OutcomeUnknown(f"{bank} says neither yes nor no")
    if row["transferUid"] != id:
        raise ValueError(f"Another transfer answered: {row['transferUid']}")
    return Receipt(id)
