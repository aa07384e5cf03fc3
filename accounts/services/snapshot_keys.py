"""Names of snapshots that others gave: each counts within its own scope."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import F

from accounts.models import Account, BalanceSnapshot, SnapshotKey

Scope = SnapshotKey.Scope


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
        SnapshotKey.objects.bulk_create(
            [
                SnapshotKey(
                    **named, key=key, as_of=snapshot.as_of, fingerprint=fingerprint
                )
            ],
            ignore_conflicts=True,
        )
    found = of_client(account, client, key)
    return found is not None and found.snapshot.as_of == snapshot.as_of


def count_replay(named: Named) -> None:
    """Count that a snapshot was asked for again by its name."""
    SnapshotKey.objects.filter(pk=named.row.pk).update(replays=F("replays") + 1)


def provider_id(account: Account, as_of: datetime) -> str | None:
    """Return the provider's own id of the snapshot of a moment, where it gave one."""
    rows = SnapshotKey.objects.filter(scope=Scope.PROVIDER, account=account)
    return rows.filter(as_of=as_of).values_list("key", flat=True).first()
