"""What the layers above may ask of accounts."""

from __future__ import annotations

from .adapters import UnknownProvider, UnreadableCredentials
from .calling import call, refresh
from .connecting import (
    CredentialsIncomplete,
    TestResult,
    UnknownCredential,
    connect,
    test_connection,
    update_credentials,
)
from .movements import forget_old as forget_old_transactions
from .requests import claim_due, claim_requested, request_sync, run_requested
from .sync import sync

__all__ = [
    "CredentialsIncomplete",
    "TestResult",
    "UnknownCredential",
    "UnknownProvider",
    "UnreadableCredentials",
    "call",
    "claim_due",
    "claim_requested",
    "connect",
    "forget_old_transactions",
    "refresh",
    "request_sync",
    "run_requested",
    "sync",
    "test_connection",
    "update_credentials",
]
