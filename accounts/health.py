"""What the outcome of a sync means for its connection: its health and its next time."""

from __future__ import annotations

import random
from dataclasses import dataclass

FIRST_RETRY = 15.0  # seconds after the first failure; then it doubles
SLOWEST_RETRY = 900.0  # seconds, unless the connection's own interval is longer
MODESTY = 1.1  # how much longer than asked for a provider is left alone
# Old history may be open for a few minutes after the approval only.
APPROVAL_SOON, APPROVAL_TRIES, APPROVAL_LATER = 20.0, 15, 300.0
# Failures that only a person can end. Asking on, slowly, costs nothing.
PERSON = frozenset({"authentication_failed", "cannot_open", "unknown_provider"})


@dataclass(frozen=True, slots=True)
class Outlook:
    """How a connection is after a sync; `next_in` counts seconds."""

    health: str
    failures: int
    next_in: float | None  # None: never by itself


def after_success(interval: float | None) -> Outlook:
    """Return the outlook of a connection that answered."""
    return Outlook("ok", 0, None if interval is None else max(interval, 1.0))


def after_failure(
    code: str,
    *,
    health: str,
    failures: int,
    ever_worked: bool,
    interval: float,
    wait: float | None = None,
    jitter: float | None = None,
) -> Outlook:
    """Return the outlook after a failure; `wait` is what the provider asked for."""
    spread = random.uniform(0.8, 1.2) if jitter is None else jitter
    after = _health(code, health, ever_worked)
    if after == "awaiting_approval":
        backoff = APPROVAL_SOON if failures < APPROVAL_TRIES else APPROVAL_LATER
    else:
        slowest = max(interval, SLOWEST_RETRY)
        backoff = min(FIRST_RETRY * 2 ** min(failures, 16), slowest)
    return Outlook(after, failures + 1, max(backoff * spread, MODESTY * (wait or 0)))


def _health(code: str, health: str, ever_worked: bool) -> str:
    if code in PERSON:
        return "reconnect_needed"
    if code == "consent_needed":
        waiting = health in ("new", "awaiting_approval") or not ever_worked
        return "awaiting_approval" if waiting else "reconnect_needed"
    if health in ("awaiting_approval", "reconnect_needed"):
        return health  # an outage does not change what a person has to do
    return "failing"
