"""What becomes of readings and figures that are not believed, or not agreed upon."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from providers.base import Invariant, Reading
from providers.errors import ProviderError
from providers.money import MoneyError, TooPrecise

from .text import clean
from .validation import Unacceptable
from .validator import ASK, AUTO, BLOCKING, RULES, USUAL, Checks, Limits, grade
from .verdicts import Disagreement, Heard, Issue, Known, Quarantined, Verdict

CHANGE = "unexpected_change"
LONGEST_NAME = 200
LONGEST_TEXT = 500
Judge = Callable[[Verdict, Known, Reading], Sequence[Issue]]


def judge_by(
    checks: Checks | None,
    known: Mapping[str, Known],
    heard: Heard,
    emptied: Mapping[str, Known],
) -> Judge:
    """Return what judges each reading of one answer.

    `emptied` are accounts that held something, and hold nothing as the answer leaves
    them out.
    """
    if checks is None:
        return lambda verdict, before, reading: ()
    doubts = checks.zeroed(known, heard)
    if emptied:
        doubts = {**doubts, **checks.emptied(emptied, known, heard)}

    def judge(verdict: Verdict, before: Known, reading: Reading) -> Sequence[Issue]:
        issues = checks.judge(reading, before, heard)
        if doubts and (doubt := doubts.get(reading.external_id)):
            issues.append(doubt)
        if checks.drifts and before.total not in (None, reading.total):
            limits = checks.limits(before.account_id, before.asset)
            issues.extend(_drifted(verdict, before, reading, limits))
        return issues

    return judge


def _drifted(
    verdict: Verdict, before: Known, reading: Reading, limits: Limits
) -> Iterator[Issue]:
    """Record a change of more than the account's limits; yield what forbids it."""
    severity = grade(before.total, reading.total, limits)
    if not limits.changes or severity == "info":
        return
    told = (CHANGE, before.total, reading.total, severity)
    verdict.disagreements.append(_disagreement(before.account_id, *told, limits))
    if limits.correction != AUTO:
        then = "a person is asked" if limits.correction == ASK else "it is not taken"
        yield Issue("drift", "error", f"{RULES['drift'].label}: {then}")


def _disagreement(
    account: UUID, name: str, expected: int, actual: int, severity: str, limits: Limits
) -> Disagreement:
    protects = severity == "critical" and limits.protect
    clean_syncs = limits.clean_syncs if protects else 0
    return Disagreement(account, name, expected, actual, severity, clean_syncs)


def blocking(issues: Iterable[Issue]) -> list[Issue]:
    """Return those issues that forbid to believe a reading."""
    return [issue for issue in issues if issue.severity in BLOCKING]


def keep_aside(
    verdict: Verdict,
    before: Known,
    reading: Reading,
    errors: Sequence[Issue],
    as_of: datetime,
) -> None:
    """Put a reading into quarantine: the last good one stays, with the reason."""
    why = "; ".join(issue.text for issue in errors)[:LONGEST_TEXT]
    for issue in errors:
        aside(verdict, before.account_id, reading.external_id, issue, reading, as_of)
    verdict.unknown.append((before.account_id, why))
    verdict.results.append(result(reading, "quarantined", reading.total, why))


def aside(
    verdict: Verdict,
    account: UUID | None,
    name: str,
    issue: Issue,
    reading: Reading | None = None,
    as_of: datetime | None = None,
) -> None:
    """Keep what `issue` is about where a person finds it."""
    if verdict.status == "ok":
        verdict.status = "partial"
    if not verdict.error_code:
        verdict.error_code, verdict.error = "quarantined", issue.text
    raw = {} if reading is None else figures(reading)
    verdict.quarantined.append(Quarantined(account, name, issue, reading, as_of, raw))


def figures(reading: Reading) -> dict[str, Any]:
    """Return a reading as it came, for people; what is no amount is quoted."""
    amounts = {n: getattr(reading, n) for n in ("total", "available", "held")}
    return {
        **{n: str(a) if type(a) is int else repr(a) for n, a in amounts.items()},
        "asset": str(reading.asset),
        "as_of": reading.as_of and reading.as_of.isoformat(),
        "details": dict(reading.details),
    }


def unreadable(
    known: Mapping[str, Known], error: ProviderError | Unacceptable
) -> Iterator[Quarantined]:
    """Yield what an answer held that is no money: its row, or the whole of it."""
    if isinstance(error, Unacceptable):
        reading = error.reading
        before = known.get(reading.external_id) if reading else None
        raw = figures(reading) if reading else {}
        yield Quarantined(
            before and before.account_id,
            reading.external_id if reading and before else "",
            Issue("garbage", "error", str(error)[:LONGEST_TEXT]),
            raw=raw,
        )
    elif isinstance(cause := error.__cause__, MoneyError):
        rule = "too_precise" if isinstance(cause, TooPrecise) else "garbage"
        text = f"{RULES[rule].label}: {cause}"[:LONGEST_TEXT]
        yield Quarantined(None, "", Issue(rule, "error", text))


def weigh(
    verdict: Verdict,
    known: Mapping[str, Known],
    invariants: Sequence[Invariant],
    ids: Mapping[str, UUID],
    checks: Checks | None,
) -> None:
    """Compare the figures of the provider that must agree with each other."""
    for told in invariants:
        account = ids.get(told.external_id)
        if account is None:
            continue
        before = known.get(told.external_id)
        gaps = (before and before.open_discrepancies) or {}
        if told.expected != told.actual:
            again = gaps.get(told.name) == told.actual - told.expected
            limits = USUAL
            if checks is not None and before is not None:
                limits = checks.limits(account, before.asset)
            verdict.disagreements.append(_weighed(account, told, limits, again))
        elif told.name in gaps:
            verdict.agreements.append((account, told.name))


def _weighed(
    account: UUID, told: Invariant, limits: Limits, again: bool
) -> Disagreement:
    """Return a difference with its gravity.

    The figures are read one after the other while rules move money: only what two syncs
    tell alike is more than medium.
    """
    severity = grade(told.expected, told.actual, limits)
    if not again and severity in BLOCKING:
        severity = "warning"
    pair = told.expected, told.actual
    return _disagreement(account, told.name, *pair, severity, limits)


def settled(verdict: Verdict, before: Known) -> None:
    """Let a change that was too much be over once its balance is believed."""
    if CHANGE in (before.open_discrepancies or ()) and not _changed_again(
        verdict, before
    ):
        verdict.agreements.append((before.account_id, CHANGE))


def _changed_again(verdict: Verdict, before: Known) -> bool:
    told = {(d.account_id, d.name) for d in verdict.disagreements}
    return (before.account_id, CHANGE) in told


def severity_of(verdict: Verdict, before: Known) -> str:
    """Return how grave the change of a balance is; mostly it is none."""
    pair = before.account_id, CHANGE
    found = [
        d.severity for d in verdict.disagreements if (d.account_id, d.name) == pair
    ]
    return found[0] if found else "info"


def calm(verdict: Verdict, known: Mapping[str, Known]) -> None:
    """Count the syncs that found nothing, for accounts that drift has protected."""
    guarded = [a for a in known.values() if a.clean_syncs_left is not None]
    if not guarded:
        return
    heard = {accepted.account_id for accepted in verdict.accepted}
    told = {(d.account_id, d.name) for d in verdict.disagreements}
    for before in guarded:
        pk, left = before.account_id, before.clean_syncs_left or 0
        names = before.open_discrepancies or ()
        if pk in heard and not any((pk, name) in told for name in names):
            verdict.clean.append((pk, max(0, left - 1)))


def result(
    reading: Reading, status: str, total: int | None, error: str = ""
) -> dict[str, Any]:
    """Return what a sync run says of one account."""
    return {
        "account": reading.external_id,
        "name": clean(reading.name, LONGEST_NAME),
        "status": status,
        "total": None if total is None else str(total),
        "error": error or None,
    }
