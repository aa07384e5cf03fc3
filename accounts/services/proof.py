"""The proof of one account's balance over a period, from its rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Case, F, Q, When

from accounts.fields import MinorUnits
from accounts.history.proof import Point, Stretch, prove, unexplained, whole
from accounts.models import Account, DriftSetting, Transaction
from accounts.validator import grade
from accounts.validator.settings import limits_of

from .days import held_before, kept
from .trends import confirmed

AT_ONCE = 2_000


@dataclass(frozen=True, slots=True)
class Proof:
    """What a period of one account adds up to, and the stretches that do not."""

    all: Stretch | None
    gaps: list[Stretch]
    severity: str  # of what is unexplained in all; info where it is less than counts


def proof_of(account: Account, since: datetime, until: datetime) -> Proof:
    """Return the proof from the last known balance until `since` to the last in `until`.

    Movements are those the provider reports for the account, or, for a pot, those of
    the account around it that name the pot. Declined ones moved nothing.
    """
    points = _points(account, since, until)
    if len(points) < 2:
        return Proof(None, [], "info")
    stretches = prove(points, _moved(account, points[0][0], points[-1][0]))
    total = whole(stretches)
    settings = DriftSetting.objects.filter(workspace=account.workspace_id)
    rows = [setting.row for setting in settings]
    limits = limits_of(rows, str(account.pk), account.unit)
    severity = grade(total.opening + total.known, total.closing, limits)
    return Proof(total, list(unexplained(stretches)), severity)


def _points(account: Account, since: datetime, until: datetime) -> list[Point]:
    first = held_before(account, since)
    points = [first] if first else []
    points += kept(account, since, until)
    later = account.snapshots.filter(as_of__gt=until)
    balance = getattr(account, "balance", None)
    if points and balance is not None and not later.exists():
        # It holds until it was confirmed last, and not a moment longer.
        last, amount = points[-1]
        known = min(until, confirmed(balance, until))
        if balance.total == amount and known > last:
            points.append((known, amount))
    return points


def _moved(account: Account, since: datetime, until: datetime) -> Iterator[Point]:
    mine = Q(account=account)
    if account.parent_id is not None:
        mine |= Q(account=account.parent_id, pot=account.external_id)
    amount = Case(
        When(account=account, then=F("amount")),
        default=-F("amount"),
        output_field=MinorUnits(),
    )
    rows = Transaction.objects.filter(mine, declined="")
    rows = rows.filter(created__gt=since, created__lte=until)
    ordered = rows.annotate(moved=amount).order_by("created", "pk")
    return ordered.values_list("created", "moved").iterator(AT_ONCE)
