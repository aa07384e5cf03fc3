"""The rules of a payday, as a client writes them, and how runs and transfers may end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

OPEN_RUNS = {"due", "planned", "running", "notified", "awaiting_approval"}
NOT_MOVED = {"refused", "expired"}
UNSETTLED = ("pending", "sending", "unknown")


def rule_documents(
    account: str, bills: str, savings: str, fun: str, spare: str
) -> dict[str, Any]:
    """Return an autosort of the salary, a two-leg sweep and a topup of the account."""
    every_day = {"triggers": [{"kind": "api"}], "enabled": True}
    return {
        "autosort": every_day
        | {
            "name": "Payday",
            "kind": "autosort",
            "legs": [
                {"account": account, "role": "source", "keep": _money(100_00)},
                {
                    "account": bills,
                    "role": "bills",
                    "order": 1,
                    "strategy": "fixed",
                    "amount": _money(400_00),
                },
                {
                    "account": savings,
                    "role": "investment",
                    "order": 2,
                    "strategy": "share",
                    "share": "0.70",
                },
                {
                    "account": fun,
                    "role": "investment",
                    "order": 3,
                    "strategy": "share",
                    "share": "0.30",
                },
            ],
        },
        "sweep": every_day
        | {
            "name": "Sweep",
            "kind": "sweep",
            "legs": [
                {
                    "account": fun,
                    "role": "source",
                    "strategy": "fixed",
                    "amount": _money(7_01),
                },
                {"account": spare, "role": "target"},
            ],
        },
        "topup": every_day
        | {
            "name": "Topup",
            "kind": "topup",
            "legs": [
                {"account": bills, "role": "source"},
                {
                    "account": account,
                    "role": "target",
                    "strategy": "fixed",
                    "amount": _money(33_33),
                },
            ],
        },
    }


def _money(minor: int) -> dict[str, str]:
    return {"asset": "GBP/2", "minor": str(minor)}


def with_waits(transfers: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Let a step wait for a person, too, whose step before it does."""
    rows = list(transfers)
    asked = {row["id"] for row in rows if row["needs_person"]}
    behind = {row["id"] for row in rows if row["depends_on"] in asked}
    return [row | {"needs_person": row["id"] in asked | behind} for row in rows]
