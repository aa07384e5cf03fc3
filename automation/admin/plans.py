"""A plan as a person reads it: what was known, what moves, and why, step by step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from accounts.admin import show
from accounts.admin.base import Panel
from accounts.models import Account
from providers.money import parse_minor


class Names:
    """The names of the accounts that a stored plan speaks of."""

    def __init__(self, ids: Iterable[str | None], workspace_id: Any) -> None:
        # A plan may be older than an account's move elsewhere: never name those.
        rows = Account.objects.filter(pk__in={i for i in ids if i})
        mine = rows.filter(workspace=workspace_id).select_related("parent")
        self.known = {str(row.pk): row for row in mine}

    def unless_told(self, account: str | None, text: str) -> str:
        """Return the account's place, but not where `text` names it anyway."""
        row = self.known.get(account or "")
        return show.place(row) if row and str(row) not in text else ""

    def link(self, account: str) -> str:
        row = self.known.get(account)
        return show.link(row, show.place(row)) if row else show.UNKNOWN


def names_of(plan: Mapping[str, Any], workspace_id: Any) -> Names:
    """Return the names a plan needs, asked for at once."""
    ids = [reading["account"] for reading in plan["readings"]]
    ids += [step["account"] for step in plan["trace"]]
    ids += [end for move in plan["moves"] for end in (move["source"], move["target"])]
    return Names(ids, workspace_id)


def amount(money: Mapping[str, str] | None) -> str:
    """Return a money object as people read it; None is unknown."""
    if money is None:
        return show.UNKNOWN
    return show.money(parse_minor(money["minor"]), money["asset"])


def readings_panel(plan: Mapping[str, Any], names: Names) -> Panel:
    """Return what was known of each account when it was decided."""
    return Panel(
        "Readings",
        ["Account", "Available", "Age", "Source", "True at"],
        [
            [
                names.link(read["account"]),
                amount(read["available"]),
                age(read["age_seconds"]),
                read["source"],
                moment(read["as_of"]),
            ]
            for read in plan["readings"]
        ],
        empty="Nothing was read.",
    )


def age(seconds: int | None) -> str:
    if seconds is None:
        return show.label("unknown", "bad")
    return show.label(f"{show.span(seconds)} old", "ok" if seconds <= 60 else "")


def moment(text: str | None) -> str:
    return show.exact(datetime.fromisoformat(text)) if text else show.NOTHING


def moves_panel(plan: Mapping[str, Any], names: Names) -> Panel:
    """Return what should move."""
    return Panel(
        "Moves",
        ["From", "To", "Amount"],
        [
            [names.link(m["source"]), names.link(m["target"]), amount(m["money"])]
            for m in plan["moves"]
        ],
        empty="Nothing moves.",
    )


def steps(plan: Mapping[str, Any], names: Names) -> list[dict[str, Any]]:
    """Return the decision trace in words."""
    return [
        {
            "step": show.words(step["step"]),
            "account": names.unless_told(step["account"], step["text"]),
            "text": step["text"],
            "amount": amount(step["amount"]) if step["amount"] else "",
        }
        for step in plan["trace"]
    ]
