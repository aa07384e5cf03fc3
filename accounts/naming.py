"""Names that providers give to balances: each stands for the same figures for ever. PURE"""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from uuid import UUID

from providers.base import Reading

from .doubting import result
from .verdicts import Known, Name, Verdict

REUSED = "The provider calls these figures {!r}, as it called others before"


def name_of(account: UUID, as_of: datetime, reading: Reading) -> Name:
    """Return what the provider calls the figures of `reading`."""
    return Name(account, as_of, reading.balance_id, fingerprint_of(reading))


def fingerprint_of(reading: Reading) -> str:
    """Return what tells the figures of `reading` from all others."""
    told = f"{reading.total} {reading.available} {reading.held}"
    return sha256(told.encode()).hexdigest()


def is_as_named(before: Known, reading: Reading) -> bool:
    """Say whether these are the figures that the provider's name has always meant."""
    named = before.named or {}
    return named.get(reading.balance_id) == fingerprint_of(reading)


def told_before(verdict: Verdict, before: Known, reading: Reading) -> None:
    """Judge figures that are not held now under a name that is known.

    The same as then are an answer that comes late; others make the name worthless, so
    the last good balance stays.
    """
    if is_as_named(before, reading):
        verdict.results.append(result(reading, "older", reading.total))
        return
    why = REUSED.format(reading.balance_id)
    if verdict.status == "ok":
        verdict.status, verdict.error_code, verdict.error = "partial", "id_reused", why
    verdict.unknown.append((before.account_id, why))
    verdict.results.append(result(reading, "unknown", reading.total, why))
