"""What Fincra's answers about wallets and businesses mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from providers.base import Invariant, Observation, Permissions, Reading
from providers.errors import AuthenticationFailed
from providers.fields import flag, rows, text
from providers.money import Asset, MoneyError

from .amounts import DECIMALS, amount

LEDGER, AVAILABLE, LOCKED = "ledgerBalance", "availableBalance", "lockedBalance"
FIGURES: Final = (LEDGER, AVAILABLE, LOCKED)


@dataclass(frozen=True, slots=True)
class Named:
    """The newest entry of the log in one currency, and the three figures after it."""

    id: int
    figures: tuple[Any, ...]


def wallets(business: str, body: Any) -> Sequence[Mapping[str, Any]]:
    """Return the wallets of a business; raises ValueError if one is somebody else's."""
    found = rows(_told(body), "data")
    if strangers := {text(r["business"]) for r in found} - {business}:
        raise ValueError(
            f"Wallets of {sorted(strangers)[0]:.40} came, not of {business}"
        )
    if len({_id(row) for row in found}) < len(found):
        raise ValueError("A wallet is listed twice")
    return found


def newest(body: Any) -> Mapping[str, Named]:
    """Return the newest entry of each currency on a page of the log."""
    found: dict[str, Named] = {}
    for row in rows(_told(body)["data"], "results"):
        entry = Named(_id(row), tuple(row[f"{name}After"] for name in FIGURES))
        known = found.get(text(row["currency"]), entry)
        found[row["currency"]] = max(known, entry, key=lambda e: e.id)
    return found


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads wallets whose amounts have the unit `scale`; `why` there are no names."""

    scale: str
    names: Mapping[str, Named]
    why: str = ""

    def observation(self, found: Sequence[Mapping[str, Any]]) -> Observation:
        """Return the wallets; money of unknown decimals is said to be missing.

        A wallet in which there is nothing is nothing in any unit.
        """
        told = [self._reading(row) for row in found if row["currency"] in DECIMALS]
        odd = [row for row in found if text(row["currency"]) not in DECIMALS]
        lacks = "; ".join(
            f"The decimals of {row['currency']!r:.20} are not known"
            for row in odd
            if any(row[name] != 0 or isinstance(row[name], bool) for name in FIGURES)
        )
        return Observation(
            told,
            [
                Invariant("ledger", r.external_id, r.total, r.available + r.held)
                for r in told
                if r.total is not None and r.available is not None
            ],
            complete=not lacks,
            lacks=lacks,
        )

    def _reading(self, row: Mapping[str, Any]) -> Reading:
        """Return one wallet; what its figures do not tell exactly is not known."""
        code = text(row["currency"])
        usable = text(row["status"]) == "enabled"
        wallet = Reading(
            str(_id(row)),
            Asset(code, DECIMALS[code]),
            None,
            None,
            name=f"{code} wallet",
            kind="wallet",
            closed=row["status"] == "closed",
            can_send=usable,
            can_receive=usable,
            details=self._details(row),
        )
        try:
            return self._filled(wallet, row)
        except MoneyError as wrong:  # it says nothing of the other wallets
            return replace(wallet, error=f"{wallet.name}: {wrong}")

    def _filled(self, wallet: Reading, row: Mapping[str, Any]) -> Reading:
        figures = [amount(wallet.asset, self.scale, row[name]) for name in FIGURES]
        total, available, held = figures
        if held < 0:
            raise MoneyError(f"{row[LOCKED]} cannot be locked")
        named = self.names.get(wallet.asset.code)
        same = named is not None and named.figures == tuple(row[n] for n in FIGURES)
        return replace(
            wallet,
            total=total,
            available=available,
            held=held,
            balance_id=str(named.id) if named is not None and same else "",
        )

    def _details(self, row: Mapping[str, Any]) -> Mapping[str, str]:
        """Return what people may want to know; no figure of a balance is made of it."""
        told = {
            "status": row["status"],
            "updated": row.get("updatedAt"),
            "wallet_number": row.get("walletNumber"),
            "rolling_reserve": row.get("rollingReserveBalance") or None,
            "overdraft_limit": _overdraft(row),
            "log": self.why or None,
        }
        return {k: f"{v}"[:200] for k, v in told.items() if v is not None}


def _overdraft(row: Mapping[str, Any]) -> Any:
    """Return how far the wallet may be overdrawn, as it is told; 0 and 1 are flags, too."""
    enabled = row.get("overdraftEnabled", False)
    if enabled not in (True, False, None):
        raise TypeError(f"{enabled!r:.60} is neither true nor false")
    limit = row.get("overdraftLimit")
    return ("unlimited" if limit is None else limit) if enabled else None


def permissions(business: str, body: Any) -> Permissions:
    """Return what is known of the key; raises AuthenticationFailed for another business."""
    about = _told(body)["data"]
    told = text(about["_id"])
    if told != business:
        raise AuthenticationFailed(f"The key belongs to the business {told:.40}")
    notes = ["It may do all that the business may: allow payouts by address only"]
    if about.get("isBlocked") or about.get("status") != "enabled":
        notes.append("Fincra has blocked or disabled this business")
    return Permissions(read=True, notes=notes)


def _told(body: Any) -> Any:
    if not flag(body["success"]):
        raise ValueError(f"Fincra says no: {body.get('error')!r:.200}")
    return body


def _id(row: Mapping[str, Any]) -> int:
    value = row["id"]
    if type(value) is not int or value <= 0:
        raise TypeError(f"{value!r:.60} is no id")
    return value
