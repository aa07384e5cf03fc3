"""Names of snapshots that others gave: each counts within its own scope."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import F

from accounts.models import Account, BalanceSnapshot, SnapshotKey
from accounts.text import is_clean
from accounts.validation import LONGEST_BALANCE_ID
from accounts.verdicts import Known

from .entries import Entry
from .statements import ask, write

Scope = SnapshotKey.Scope
NAMES = """
SELECT k.account_id, k.key, k.fingerprint
FROM unnest(%s::uuid[], %s::text[]) AS t(account_id, key)
JOIN accounts_snapshotkey k ON k.account_id = t.account_id AND k.key = t.key
WHERE k.scope = 'provider'
"""
# The snapshot of a moment that had one already is a little later.
NAME = """
INSERT INTO accounts_snapshotkey
  (created, account_id, as_of, scope, client, key, fingerprint, replays)
SELECT now(), t.account_id, coalesce(
    (SELECT max(s.as_of) FROM accounts_balancesnapshot s
     WHERE s.account_id = t.account_id AND s.as_of >= t.as_of
     AND s.as_of < t.as_of + interval '1 second'), t.as_of),
  'provider', '', t.key, t.fingerprint, 0
FROM unnest(%s::uuid[], %s::timestamptz[], %s::text[], %s::text[])
  AS t(account_id, as_of, key, fingerprint)
"""


@dataclass(frozen=True, slots=True)
class Named:
    """A snapshot, and the name by which it was found."""

    snapshot: BalanceSnapshot
    row: SnapshotKey

    @property
    def fingerprint(self) -> str:
        return self.row.fingerprint


def of_client(account: Account, client: str, key: str) -> Named | None:
    """Return the snapshot that a client's key stands for; None where there is none."""
    rows = SnapshotKey.objects.filter(scope=Scope.CLIENT, account=account)
    row = rows.filter(client=client, key=key).first()
    snapshot = row and account.snapshots.filter(as_of=row.as_of).first()
    return Named(snapshot, row) if snapshot else None


def name_for_client(
    snapshot: BalanceSnapshot, client: str, key: str, fingerprint: str
) -> bool:
    """Let a client's key stand for `snapshot`, and say whether it does.

    It does not where it stands for another one already. One that was given up with its
    history is free again.
    """
    account = snapshot.account
    if of_client(account, client, key) is None:
        named = {"account": account, "scope": Scope.CLIENT, "client": client}
        SnapshotKey.objects.filter(**named, key=key).exclude(
            as_of__in=account.snapshots.order_by().values("as_of")
        ).delete()
        row = SnapshotKey(
            **named, key=key, as_of=snapshot.as_of, fingerprint=fingerprint
        )
        SnapshotKey.objects.bulk_create([row], ignore_conflicts=True)
    found = of_client(account, client, key)
    return found is not None and found.snapshot.as_of == snapshot.as_of


def count_replay(named: Named) -> None:
    """Count that a snapshot was asked for again by its name."""
    SnapshotKey.objects.filter(pk=named.row.pk).update(replays=F("replays") + 1)


def recall(entries: Iterable[Entry], known: Mapping[UUID, Mapping[str, Known]]) -> None:
    """Note on what is known which of the names in these answers were told before."""
    told = [
        (before, reading.balance_id)
        for entry in entries
        if (said := entry.said) is not None
        for reading in said.readings
        if is_clean(reading.balance_id, LONGEST_BALANCE_ID)
        and (before := known[entry.connection_id].get(reading.external_id))
    ]
    if not told:
        return
    names = {before.account_id: {} for before, _ in told}
    ids = [(before.account_id, name) for before, name in told]
    for account, name, fingerprint in ask(NAMES, *zip(*ids, strict=True)):
        names[account][name] = fingerprint
    for before, _ in told:
        before.named = names[before.account_id]


def write_names(entries: Iterable[Entry]) -> None:
    """Store what providers call the snapshots that were just written."""
    write(
        NAME,
        [
            (name.account_id, name.as_of, name.balance_id, name.fingerprint)
            for entry in entries
            for name in entry.verdict.names
        ],
    )


def provider_id(account: Account, as_of: datetime) -> str | None:
    """Return the provider's own id of the snapshot of a moment, where it gave one."""
    rows = SnapshotKey.objects.filter(scope=Scope.PROVIDER, account=account)
    return rows.filter(as_of=as_of).values_list("key", flat=True).first()
