"""What the layers above may ask of accounts."""

from __future__ import annotations

from .adapters import UnknownProvider, UnreadableCredentials
from .agreement import compare_balances
from .audit_chain import Chain, seal, verify_chain
from .auditing import NotWithItsChange, audit, request_id, tell_database, told_as_one
from .authorization import (
    AuthorizationFailed,
    NoConsentNeeded,
    callback_address,
    finish_authorization,
    start_authorization,
)
from .balances import (
    BalanceUnknown,
    FutureMoment,
    HistoryGivenUp,
    NotTyped,
    balance_answer,
    create_typed_account,
    fresh_balances,
    record_typed_balance,
    sync_for,
    take_snapshot,
)
from .batches import batches, grouped
from .calling import call, call_each, refresh
from .committed import NotCommitted, be_committed
from .connecting import (
    CredentialsIncomplete,
    TestResult,
    UnknownCredential,
    authorized,
    connect,
    keep_pace,
    test_connection,
    update_credentials,
)
from .forgetting import forget_old_findings
from .keeping import keep_history
from .movements import forget_old as forget_old_transactions
from .old_runs import forget_old_runs
from .portfolio import base_of, portfolio_of, spelt_out, worth_over_time
from .proof import Proof, proof_of
from .protecting import decide as decide_discrepancies
from .protecting import protect, release
from .quarantine import CannotAccept, accept_reading
from .rates import check_rate, keep_quotes, keep_rate, table_of
from .reports import report_head, report_lines
from .reports import told as progress_told
from .requests import (
    claim_at_start,
    claim_due,
    claim_requested,
    request_refresh,
    request_sync,
    run_requested,
    sync_now,
)
from .rotation import Rotation, rotate_keys
from .signing import Message, SignatureRefused, verify_signature
from .signing_keys import (
    SigningKeyRefused,
    forget_old_nonces,
    make_signing_key,
    succeed_signing_key,
)
from .steadily import steadily
from .sync import sync, sync_each
from .tickers import refresh_rates
from .trading import (
    MAY_TRADE,
    MAY_WITHDRAW,
    carry_on,
    read_keys,
    see_through,
    warnings_of,
)
from .webhooks import (
    NoWebhooks,
    Opened,
    UnknownWebhook,
    announce_all,
    announce_fetched,
    claim_unfetched,
    forget_old_hints,
    hooks,
    listen,
    stop_listening,
)
from .webhooks import follow as follow_webhook
from .webhooks import receive as receive_webhook

__all__ = [
    "MAY_TRADE",
    "MAY_WITHDRAW",
    "AuthorizationFailed",
    "BalanceUnknown",
    "CannotAccept",
    "Chain",
    "CredentialsIncomplete",
    "FutureMoment",
    "HistoryGivenUp",
    "Message",
    "NoConsentNeeded",
    "NoWebhooks",
    "NotCommitted",
    "NotTyped",
    "NotWithItsChange",
    "Opened",
    "Proof",
    "Rotation",
    "SignatureRefused",
    "SigningKeyRefused",
    "TestResult",
    "UnknownCredential",
    "UnknownProvider",
    "UnknownWebhook",
    "UnreadableCredentials",
    "accept_reading",
    "announce_all",
    "announce_fetched",
    "audit",
    "authorized",
    "balance_answer",
    "base_of",
    "batches",
    "be_committed",
    "call",
    "call_each",
    "callback_address",
    "carry_on",
    "check_rate",
    "claim_at_start",
    "claim_due",
    "claim_requested",
    "claim_unfetched",
    "compare_balances",
    "connect",
    "create_typed_account",
    "decide_discrepancies",
    "finish_authorization",
    "follow_webhook",
    "forget_old_findings",
    "forget_old_hints",
    "forget_old_nonces",
    "forget_old_runs",
    "forget_old_transactions",
    "fresh_balances",
    "grouped",
    "hooks",
    "keep_history",
    "keep_pace",
    "keep_quotes",
    "keep_rate",
    "listen",
    "make_signing_key",
    "portfolio_of",
    "progress_told",
    "proof_of",
    "protect",
    "read_keys",
    "receive_webhook",
    "record_typed_balance",
    "refresh",
    "refresh_rates",
    "release",
    "report_head",
    "report_lines",
    "request_id",
    "request_refresh",
    "request_sync",
    "rotate_keys",
    "run_requested",
    "seal",
    "see_through",
    "spelt_out",
    "start_authorization",
    "steadily",
    "stop_listening",
    "succeed_signing_key",
    "sync",
    "sync_each",
    "sync_for",
    "sync_now",
    "table_of",
    "take_snapshot",
    "tell_database",
    "test_connection",
    "told_as_one",
    "update_credentials",
    "verify_chain",
    "verify_signature",
    "warnings_of",
    "worth_over_time",
]
