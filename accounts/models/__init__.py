"""The rows below every decision: who owns what, where it is held, and what was read."""

from __future__ import annotations

from .account import Account, Pot
from .balance import Balance, BalanceSnapshot
from .base import Row, Source
from .connection import AuthorizationRequest, Connection
from .idempotency import IdempotencyKey
from .sync import Correction, Discrepancy, Severity, SyncRun
from .transaction import Transaction
from .webhook import WebhookInbox
from .workspace import Membership, Workspace

__all__ = [
    "Account",
    "AuthorizationRequest",
    "Balance",
    "BalanceSnapshot",
    "Connection",
    "Correction",
    "Discrepancy",
    "IdempotencyKey",
    "Membership",
    "Pot",
    "Row",
    "Severity",
    "Source",
    "SyncRun",
    "Transaction",
    "WebhookInbox",
    "Workspace",
]
