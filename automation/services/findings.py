"""What a proof found, as discrepancies: opened, refreshed and resolved, never corrected."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

import structlog

from accounts.models import Account, Discrepancy, Severity
from automation.machine.proof import FOREIGN, NAMES, Finding

log = structlog.get_logger("automation.proof")
Status = Discrepancy.Status
DECIDED = (Status.ACCEPTED, Status.IGNORED)


def record(
    account: Account,
    findings: Iterable[Finding],
    *,
    judged: Collection[str],
    moment: datetime,
) -> None:
    """Open a discrepancy for each finding, and resolve those that agree again.

    `judged` are the transfers that the proof looked at: of others nothing is known.
    """
    found = {(f.name, f.subject): f for f in findings}
    rows = account.discrepancies.filter(name__in=NAMES)
    for row in rows.filter(status=Status.OPEN):
        looked = row.subject in judged or not row.subject
        if looked and (row.name, row.subject) not in found:
            row.status, row.last_seen_at = Status.RESOLVED, moment
            row.save(update_fields=["status", "last_seen_at"])
    for finding in found.values():
        open_one(account, finding, moment)


def open_one(account: Account, finding: Finding, moment: datetime) -> None:
    """Open or refresh one, unless a person has decided about the same difference."""
    same = account.discrepancies.filter(name=finding.name, subject=finding.subject)
    for row in same.filter(status__in=DECIDED):
        if row.expected - row.actual == finding.expected - finding.actual:
            return
    grade = Severity.WARNING if finding.name == FOREIGN else Severity.ERROR
    told = {
        "expected": finding.expected,
        "actual": finding.actual,
        "severity": grade,
        "last_seen_at": moment,
    }
    Discrepancy.objects.update_or_create(
        account=account,
        name=finding.name,
        subject=finding.subject,
        status=Status.OPEN,
        defaults=told,
    )
    say = log.warning if grade == Severity.WARNING else log.error
    say(
        finding.name,
        account=str(account.pk),
        subject=finding.subject,
        expected=str(finding.expected),
        actual=str(finding.actual),
    )
