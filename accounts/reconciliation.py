"""What a provider's answer changes, judged without asking or storing anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from providers.base import Reading
from providers.errors import ProviderError

from .chaining import (
    is_behind,
    is_of_same_block,
    is_replaced,
    moment_after,
    note,
)
from .doubting import (
    LONGEST_NAME,
    Judge,
    blocking,
    calm,
    judge_by,
    keep_aside,
    result,
    settled,
    severity_of,
    unreadable,
    weigh,
)
from .missing import miss, with_zeros
from .naming import is_as_named, name_of, told_before
from .text import clean
from .validation import Unacceptable, validate
from .validator import Checks
from .verdicts import Accepted, Change, Found, Heard, Issue, Known, Verdict

AHEAD = timedelta(minutes=1)  # by which clocks may differ
READ = frozenset({"live", "stream"})  # sources that are the provider's own words


def failure(known: Mapping[str, Known], error: ProviderError | Unacceptable) -> Verdict:
    """Return the verdict on an answer that did not come or cannot be used."""
    verdict = refusal(known, error.code, str(error))
    verdict.quarantined.extend(unreadable(known, error))
    return verdict


def refusal(known: Mapping[str, Known], code: str, text: str) -> Verdict:
    """Return the verdict of a failure: every balance stays, with its age and the reason."""
    unknown = [(a.account_id, text) for a in known.values() if not a.closed]
    return Verdict("failed", code, text, unknown=unknown)


def reconcile(
    known: Mapping[str, Known],
    heard: Heard,
    checks: Checks | None = None,
    *,
    new_id: Callable[[], UUID] = uuid4,
) -> Verdict:
    """Compare one connection's answer with what is known of its accounts, by external id.

    Without `checks` its figures are believed as they are: a person has typed them.
    """
    observation = heard.observation
    try:
        validate(observation, known)
    except Unacceptable as error:
        return failure(known, error)
    verdict = Verdict()
    heard, emptied = with_zeros(heard, known)
    observation = heard.observation
    judge = judge_by(checks, known, heard, emptied)
    ids = {name: before.account_id for name, before in known.items()}
    for reading in sorted(observation.readings, key=lambda r: r.parent is not None):
        if reading.external_id not in known:
            _find(verdict, reading, heard, ids, new_id, judge)
    for reading in observation.readings:
        if (before := known.get(reading.external_id)) is not None and before.active:
            _compare(verdict, before, reading, heard, ids, judge)
    miss(verdict, known, heard, checks)
    weigh(verdict, known, observation.invariants, ids, checks)
    calm(verdict, known)
    return verdict


def _find(
    verdict: Verdict,
    reading: Reading,
    heard: Heard,
    ids: dict[str, UUID],
    new_id: Callable[[], UUID],
    judge: Judge,
) -> None:
    # What was closed before we ever saw it is history that nobody asked for.
    if reading.closed or (reading.parent is not None and reading.parent not in ids):
        return
    parent = None if reading.parent is None else ids[reading.parent]
    found = Found(new_id(), reading, clean(reading.name, LONGEST_NAME), parent)
    ids[reading.external_id] = found.account_id
    verdict.found.append(found)
    nothing = Known(found.account_id, str(reading.asset), reading.kind, name=found.name)
    _hold(verdict, nothing, reading, heard, judge)


def _compare(
    verdict: Verdict,
    before: Known,
    reading: Reading,
    heard: Heard,
    ids: Mapping[str, UUID],
    judge: Judge,
) -> None:
    after = _state(before, reading, ids)
    if after is not before:
        verdict.states.append(after)
        verdict.changes.extend(_differences(before, after))
    _hold(verdict, before, reading, heard, judge)


def _state(before: Known, reading: Reading, ids: Mapping[str, UUID]) -> Known:
    """Return `before` itself where nothing but its balance may have changed."""
    name = clean(reading.name, LONGEST_NAME) or before.name
    goal = before.goal if reading.goal is None else reading.goal
    parent = before.parent if reading.parent is None else ids.get(reading.parent)
    told = (
        name,
        goal,
        parent,
        reading.closed,
        reading.can_send,
        reading.can_receive,
        0,
    )
    if told == (
        before.name,
        before.goal,
        before.parent,
        before.closed,
        before.can_send,
        before.can_receive,
        before.missing_reads,
    ):
        return before
    return replace(
        before,
        name=name,
        goal=goal,
        parent=parent,
        closed=reading.closed,
        can_send=reading.can_send,
        can_receive=reading.can_receive,
        missing_reads=0,
        missing_since=None,
    )


def _differences(before: Known, after: Known) -> Iterator[Change]:
    who = before.account_id
    if before.name != after.name:
        yield Change(who, "name", before.name, after.name, reason="renamed")
    if before.goal != after.goal:
        yield Change(who, "goal", _text(before.goal), _text(after.goal))
    if before.closed != after.closed:
        reason = "the provider says it is closed" if after.closed else "it is back"
        yield Change(
            who,
            "closed",
            _text(before.closed),
            _text(after.closed),
            severity="warning",
            reason=reason,
        )
    for name in ("can_send", "can_receive"):
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            yield Change(who, name, _text(old), _text(new))


def _hold(
    verdict: Verdict, before: Known, reading: Reading, heard: Heard, judge: Judge
) -> None:
    if reading.total is None or reading.available is None:
        why = clean(reading.error, 500) or "The provider did not say"
        verdict.status = "partial"
        verdict.unknown.append((before.account_id, why))
        verdict.results.append(result(reading, "unknown", None, why))
        return
    superseded = heard.observation.superseded
    replaced = is_replaced(before, reading, superseded)
    as_of = _moment(before, reading, heard, replaced)
    if as_of is None:
        verdict.results.append(result(reading, "older", reading.total))
        return
    same, named = _same(before, reading), reading.balance_id in (before.named or ())
    # A chain may come back to a block that it had left, or to what was left at its own.
    back = replaced or is_of_same_block(before, reading)
    if named and not same and not (back and is_as_named(before, reading)):
        told_before(verdict, before, reading)
        return
    # What was computed, not read, has no snapshot yet.
    changed = not same or (_was_made_up(before, heard) and not named)
    issues: Sequence[Issue] = ()
    if changed or reading.as_of is not None:
        issues = judge(verdict, before, reading)
        if errors := blocking(issues):
            keep_aside(verdict, before, reading, errors, as_of)
            return
    if before.quarantined:
        verdict.released.append(reading.external_id)
    _believe(verdict, before, reading, as_of, changed, named)
    note(verdict, before, reading, superseded, replaced=replaced)
    told = result(reading, "changed" if changed else "ok", reading.total)
    if issues:
        told["warnings"] = [issue.text for issue in issues]
    verdict.results.append(told)


def _moment(
    before: Known, reading: Reading, heard: Heard, replaced: bool
) -> datetime | None:
    """Return as of when a reading counts; None where something newer is known."""
    # A moment in the future would keep every later reading out.
    as_of = min(reading.as_of or heard.asked_at, heard.fetched_at)
    if replaced:
        return moment_after(before, as_of)
    if before.block is not None and reading.block is not None:
        # Heights are in order, also within a second and after another chain's moment.
        return None if is_behind(before, reading) else max(as_of, before.as_of or as_of)
    return None if _is_older(before, as_of, heard) else as_of


def _was_made_up(before: Known, heard: Heard) -> bool:
    """Say whether the balance comes from elsewhere than any answer of the provider."""
    return before.source != heard.source and not {before.source, heard.source} <= READ


def _same(before: Known, reading: Reading) -> bool:
    amounts = reading.total, reading.available, reading.held
    return (before.total, before.available, before.held) == amounts


def _believe(
    verdict: Verdict,
    before: Known,
    reading: Reading,
    as_of: datetime,
    changed: bool,
    named: bool,
) -> None:
    verdict.accepted.append(
        Accepted(
            before.account_id,
            before.asset,
            reading.total,
            reading.available,
            reading.held,
            as_of,
            changed,
            before.total,
            before.available,
            changed and as_of == before.as_of,
        )
    )
    if changed and reading.balance_id and not named:
        verdict.names.append(name_of(before.account_id, as_of, reading))
    if before.open_discrepancies:
        settled(verdict, before)
    if changed and before.total is not None:
        severity = severity_of(verdict, before) if verdict.disagreements else "info"
        verdict.changes.extend(_amounts(before, reading, severity))


def _is_older(before: Known, as_of: datetime, heard: Heard) -> bool:
    """Order holds within one source; between sources the later to be heard counts."""
    if before.as_of is None or before.fetched_at is None:
        return False
    if heard.judged_at is not None and before.fetched_at > heard.judged_at + AHEAD:
        return False  # of a future that never came: the clock was put back
    if before.source == heard.source:
        return as_of < before.as_of
    return heard.asked_at < max(before.as_of, before.fetched_at)


def _amounts(before: Known, reading: Reading, severity: str) -> Iterator[Change]:
    for name in ("total", "available", "held"):
        old, new = getattr(before, name), getattr(reading, name)
        if old != new:
            yield Change(
                before.account_id,
                name,
                str(old),
                str(new),
                difference=str(new - old),
                severity=severity if name == "total" else "info",
                reason="the provider says so",
            )


def _text(value: int | bool | None) -> str:
    return "" if value is None else str(value).lower()
