"""The rows below every decision: who owns what, where it is held, and what was read."""

from __future__ import annotations

from .account import Account, Pot
from .audit import AuditEvent, AuditSeal, AuditWaiting
from .balance import Balance, BalanceSnapshot
from .base import Row, Source
from .chain import Allowance, ChainState
from .check import CheckSetting, DriftSetting
from .connection import AuthorizationRequest, Connection
from .event import Channel, Condition, Delivery, Event, Preference, Threshold
from .history import BalanceDay, SnapshotKey
from .idempotency import IdempotencyKey
from .quarantine import QuarantinedReading
from .rate import ExchangeRate
from .second_factor import AuthenticatorApp, RecoveryCodes
from .signing_key import Scope, SigningKey, SigningNonce
from .stream import Stream
from .sync import Correction, Discrepancy, Severity, SyncRun
from .trading import BookCursor, Gain, Order, Position, Side, Trade
from .transaction import Transaction
from .webhook import WebhookInbox
from .workspace import Membership, Workspace

__all__ = [
    "Account",
    "Allowance",
    "AuditEvent",
    "AuditSeal",
    "AuditWaiting",
    "AuthenticatorApp",
    "AuthorizationRequest",
    "Balance",
    "BalanceDay",
    "BalanceSnapshot",
    "BookCursor",
    "ChainState",
    "Channel",
    "CheckSetting",
    "Condition",
    "Connection",
    "Correction",
    "Delivery",
    "Discrepancy",
    "DriftSetting",
    "Event",
    "ExchangeRate",
    "Gain",
    "IdempotencyKey",
    "Membership",
    "Order",
    "Position",
    "Pot",
    "Preference",
    "QuarantinedReading",
    "RecoveryCodes",
    "Row",
    "Scope",
    "Severity",
    "Side",
    "SigningKey",
    "SigningNonce",
    "SnapshotKey",
    "Source",
    "Stream",
    "SyncRun",
    "Threshold",
    "Trade",
    "Transaction",
    "WebhookInbox",
    "Workspace",
]
