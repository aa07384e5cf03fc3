"""What rules rest on and lack, for as long as that lasts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Count, Exists, F, Min, OuterRef, Q, TextField
from django.db.models.functions import Cast, Coalesce

from accounts.events import Kind, register
from accounts.models import Account, Discrepancy, Severity
from accounts.services.events import Found, watch
from providers.money import pretty

from .models import RuleLeg, Transfer, Trigger

SEES = (Trigger.Kind.PAYDAY, Trigger.Kind.TRANSACTION)
COUNTS = ("round_ups", "replenish")
BEHIND = timedelta(hours=2)  # history is read less often than balances
DAY = timedelta(days=1)
NIGHT = timedelta(hours=36)  # by then each transfer was proved once
WEEK = timedelta(days=7)

register(
    Kind(
        "history_unread", "What rules look for in a history is not seen", lasting=True
    ),
    Kind("below_floor", "An account holds less than its floor", lasting=True),
    Kind(
        "unproved", "Transfers are not compared with the bank's entries", lasting=True
    ),
)


@watch("history_unread")
def unread(moment: datetime) -> Iterator[Found]:
    """Yield accounts whose balances are read and whose history, which rules need, is not."""
    needed = Q(rule__triggers__kind__in=SEES) | Q(rule__legs__strategy__in=COUNTS)
    legs = RuleLeg.objects.filter(
        needed, role__in=["source", "bills"], rule__enabled=True, rule__archived_at=None
    )
    rules: dict[UUID, set[str]] = defaultdict(set)
    around = Coalesce("account__parent", "account")
    for account, name in legs.values_list(around, "rule__name"):
        rules[account].add(name)
    synced = Account.objects.filter(
        pk__in=rules, closed_at=None, connection__archived_at=None
    ).annotate(read=Coalesce("movements_read_at", "created"))
    for row in synced.filter(connection__last_success_at__gt=F("read") + BEHIND):
        names = ", ".join(sorted(rules[row.pk]))
        yield about(
            "history_unread",
            row,
            f"{row}: its history was not read since {row.read:%Y-%m-%d %H:%M} UTC. What "
            f"came since is not seen by {names}",
            since=row.read.isoformat(),
        )


@watch("below_floor")
def below_floor(moment: datetime) -> Iterator[Found]:
    """Yield accounts that hold less than the floor of a rule that moved money lately.

    Between the reading and the move somebody else may spend: that cannot be kept from
    happening, only told.
    """
    moved = Transfer.objects.filter(
        run__rule=OuterRef("rule"),
        source=OuterRef("account"),
        status=Transfer.Status.DONE,
        settled_at__gt=moment - DAY,
        settled_at__lt=OuterRef("account__balance__as_of"),
    )
    legs = RuleLeg.objects.filter(
        Exists(moved),
        account__closed_at=None,
        account__balance__available__lt=F("floor"),
    )
    lowest = {
        leg.account_id: leg
        for leg in legs.select_related("account__balance", "rule").order_by("floor")
    }
    for leg in lowest.values():
        unit, held = leg.account.unit, leg.account.balance.available
        yield about(
            "below_floor",
            leg.account,
            f"{leg.account} has {pretty(held, unit)} available, less than the floor of "
            f"{pretty(leg.floor, unit)} that {leg.rule} leaves, since it moved money",
            rule=str(leg.rule_id),
        )


@watch("unproved")
def unproved(moment: datetime) -> Iterator[Found]:
    """Yield accounts with transfers that no nightly proof could look at."""
    found = Discrepancy.objects.filter(subject=Cast(OuterRef("pk"), TextField()))
    rows = (
        Transfer.objects.filter(
            ~Exists(found),
            status__in=[Transfer.Status.DONE, Transfer.Status.REVERSED],
            proved_at=None,
            settled_at__gt=moment - WEEK,
            settled_at__lt=moment - NIGHT,
        )
        .order_by()
        .values(outer=Coalesce("source__parent", "source"))
        .annotate(count=Count("pk"), first=Min("settled_at"))
    )
    told = {row["outer"]: row for row in rows}
    accounts = Account.objects.filter(
        pk__in=told, automates=True, closed_at=None, connection__archived_at=None
    )
    for row in accounts:
        count, first = told[row.pk]["count"], told[row.pk]["first"]
        yield about(
            "unproved",
            row,
            f"{row}: {count} transfers since {first:%Y-%m-%d %H:%M} UTC could not be "
            "compared with the bank's entries",
            transfers=count,
            since=first.isoformat(),
        )


def about(kind: str, row: Account, text: str, **more: object) -> Found:
    return Found(
        f"{kind}:{row.pk}",
        row.workspace_id,
        "account",
        row.pk,
        Severity.ERROR,
        text,
        {"account": str(row.pk), **more},
    )
