"""The pages of what is held and where: one module per noun."""

from __future__ import annotations

from . import (
    account,
    audit,
    balance,
    check,
    connection,
    discrepancy,
    event,
    preference,
    quarantine,
    rate,
    signing_key,
    snapshot_key,
    stream,
    sync,
    trading,
    transaction,
    webhook,
    workspace,
)

__all__ = [
    "account",
    "audit",
    "balance",
    "check",
    "connection",
    "discrepancy",
    "event",
    "preference",
    "quarantine",
    "rate",
    "signing_key",
    "snapshot_key",
    "stream",
    "sync",
    "trading",
    "transaction",
    "webhook",
    "workspace",
]
