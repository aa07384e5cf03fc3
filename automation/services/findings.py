"""What a proof found, as discrepancies: opened, refreshed and resolved, never corrected."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

import structlog
from django.db.models import OuterRef, QuerySet

from accounts.models import Account, Discrepancy, Severity
from automation.machine.proof import FOREIGN, NAMES, UNKNOWN, Finding
from automation.models import RuleLeg, RuleRun

log = structlog.get_logger("automation.proof")
Status = Discrepancy.Status
DECIDED = (Status.ACCEPTED, Status.IGNORED)
# Entries under ids like ours that no transfer has: somebody else moves this money too, or
# the database is an older one. What a rule does now may be done already.
STRANGE = (FOREIGN, UNKNOWN)


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


def accept(account: Account, finding: Finding, *, user, moment: datetime) -> None:
    """Keep a difference that `user` knows of: no proof tells of the same one any more."""
    Discrepancy.objects.create(
        account=account,
        name=finding.name,
        subject=finding.subject,
        expected=finding.expected,
        actual=finding.actual,
        severity=Severity.ERROR,
        status=Status.ACCEPTED,
        last_seen_at=moment,
        decided_by=user,
        decided_at=moment,
    )


def strange(rules: QuerySet[RuleLeg]) -> QuerySet[Discrepancy]:
    """Return what is open of STRANGE at the connections of the accounts of legs `rules`."""
    return Discrepancy.objects.filter(
        name__in=STRANGE,
        status=Status.OPEN,
        account__connection__in=rules.values("account__connection"),
    )


def strange_to_runs() -> QuerySet[Discrepancy]:
    """Return, within a query of runs, what is open of STRANGE where their rules move."""
    return strange(RuleLeg.objects.filter(rule=OuterRef(OuterRef("rule"))))


def doubted(run: RuleRun) -> str:
    """Return why `run` may not be begun before a person has decided, or nothing."""
    if not run.strange:
        return ""
    row = strange(RuleLeg.objects.filter(rule=run.rule_id)).first()
    if row is None:
        return ""  # somebody has just decided
    return f"{row}: somebody else may move this money too. Accept or ignore that first"
