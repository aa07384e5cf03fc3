"""What other people's clients must have seen and heard, by the books."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from .sockets import Sockets

Rows = Mapping[str, Mapping[str, Any]]


class Judging(Sockets):
    """The part of the exchange that is asked whether a tale is true."""

    def disputes(self, said: Mapping[str, Any]) -> list[str]:
        """Return where the books contradict what a client says it saw.

        `orders` and `trades` have to be whole; what was `heard` has to be true, and
        `refused` names how a forged signature was answered.
        """
        wrong = [*self._untrue("trades", said.get("heard_trades", {}))]
        for name in ("orders", "trades"):
            if name in said:
                wrong += self._untrue(name, said[name])
                unseen = self.ledger.topic(name).keys() - said[name].keys()
                wrong += [f"{id} was not seen" for id in sorted(unseen)]
        true = self.balances()
        for id, amount in said.get("heard_balances", {}).items():
            if str(true.get(id)) != amount:
                wrong.append(f"{id} holds {true.get(id)}, not {amount}")
        empty = ("heard_balances", "heard_trades", "refused")
        wrong += [
            f"{name} is empty" for name in empty if name in said and not said[name]
        ]
        return wrong

    def _untrue(self, name: str, rows: Rows) -> Iterator[str]:
        books = self.ledger.topic(name)
        for id, row in rows.items():
            for field, value in row.items():
                true = books.get(id, {}).get(field)
                if not same(value, true):
                    yield f"{field} of {id} is {true}, not {value}"
            if id not in books:
                yield f"{id} is none of the {name}"


def same(told: Any, true: Any) -> bool:
    """Say whether two values are one, however many zeros a number is written with."""
    if isinstance(told, bool) or isinstance(true, bool) or true is None:
        return told is true
    try:
        return Decimal(str(told)) == Decimal(str(true))
    except InvalidOperation:
        return str(told) == str(true)
