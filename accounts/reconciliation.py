"""What a provider's answer changes, judged without asking or storing anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from providers.base import Invariant, Reading
from providers.errors import ProviderError

from .text import clean
from .validation import Unacceptable, validate
from .verdicts import Accepted, Change, Disagreement, Found, Heard, Known, Verdict

GONE_AFTER = timedelta(seconds=60)  # between two complete answers without an account
LONGEST_NAME = 200


def failure(known: Mapping[str, Known], error: ProviderError | Unacceptable) -> Verdict:
    """Return the verdict on an answer that did not come or cannot be used."""
    return refusal(known, error.code, str(error))


def refusal(known: Mapping[str, Known], code: str, text: str) -> Verdict:
    """Return the verdict of a failure: every balance stays, with its age and the reason."""
    unknown = [(a.account_id, text) for a in known.values() if not a.closed]
    return Verdict("failed", code, text, unknown=unknown)


def reconcile(
    known: Mapping[str, Known], heard: Heard, *, new_id: Callable[[], UUID] = uuid4
) -> Verdict:
    """Compare one connection's answer with what is known of its accounts, by external id."""
    observation = heard.observation
    try:
        validate(observation, known)
    except Unacceptable as error:
        return failure(known, error)
    verdict = Verdict()
    ids = {name: before.account_id for name, before in known.items()}
    for reading in sorted(observation.readings, key=lambda r: r.parent is not None):
        if reading.external_id not in known:
            _find(verdict, reading, heard, ids, new_id)
    for reading in observation.readings:
        if (before := known.get(reading.external_id)) is not None and before.active:
            _compare(verdict, before, reading, heard, ids)
    _miss(verdict, known, heard)
    _weigh(verdict, known, observation.invariants, ids)
    return verdict


def _find(
    verdict: Verdict,
    reading: Reading,
    heard: Heard,
    ids: dict[str, UUID],
    new_id: Callable[[], UUID],
) -> None:
    # What was closed before we ever saw it is history that nobody asked for.
    if reading.closed or (reading.parent is not None and reading.parent not in ids):
        return
    parent = None if reading.parent is None else ids[reading.parent]
    found = Found(new_id(), reading, clean(reading.name, LONGEST_NAME), parent)
    ids[reading.external_id] = found.account_id
    verdict.found.append(found)
    nothing = Known(found.account_id, str(reading.asset), name=found.name)
    _hold(verdict, nothing, reading, heard)


def _compare(
    verdict: Verdict,
    before: Known,
    reading: Reading,
    heard: Heard,
    ids: Mapping[str, UUID],
) -> None:
    after = _state(before, reading, ids)
    if after is not before:
        verdict.states.append(after)
        verdict.changes.extend(_differences(before, after))
    _hold(verdict, before, reading, heard)


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


def _hold(verdict: Verdict, before: Known, reading: Reading, heard: Heard) -> None:
    if reading.total is None or reading.available is None:
        why = clean(reading.error, 500) or "The provider did not say"
        verdict.status = "partial"
        verdict.unknown.append((before.account_id, why))
        verdict.results.append(_result(reading, "unknown", None, why))
        return
    # A moment in the future would keep every later reading out.
    as_of = min(reading.as_of or heard.asked_at, heard.fetched_at)
    if _is_older(before, as_of, heard):
        verdict.results.append(_result(reading, "older", reading.total))
        return
    # What was computed, not read, has no snapshot yet.
    changed = before.source != heard.source or (
        before.total,
        before.available,
        before.held,
    ) != (reading.total, reading.available, reading.held)
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
        )
    )
    verdict.results.append(
        _result(reading, "changed" if changed else "ok", reading.total)
    )
    if changed and before.total is not None:
        verdict.changes.extend(_amounts(before, reading))


def _is_older(before: Known, as_of: datetime, heard: Heard) -> bool:
    """Order holds within one source; between sources the later to be heard counts."""
    if before.as_of is None or before.fetched_at is None:
        return False
    if before.source == heard.source:
        return as_of < before.as_of
    return heard.asked_at < max(before.as_of, before.fetched_at)


def _amounts(before: Known, reading: Reading) -> Iterator[Change]:
    for name in ("total", "available", "held"):
        old, new = getattr(before, name), getattr(reading, name)
        if old != new:
            yield Change(
                before.account_id,
                name,
                str(old),
                str(new),
                difference=str(new - old),
                reason="the provider says so",
            )


def _miss(verdict: Verdict, known: Mapping[str, Known], heard: Heard) -> None:
    told = {reading.external_id for reading in heard.observation.readings}
    for name, before in known.items():
        if name in told or before.closed or not before.active:
            continue
        verdict.status = "partial"
        why = "The provider left it out"
        verdict.unknown.append((before.account_id, why))
        verdict.results.append(
            {
                "account": name,
                "name": before.name,
                "status": "missing",
                "total": None,
                "error": why,
            }
        )
        if heard.observation.complete:
            _vanish(verdict, before, heard.asked_at)


def _vanish(verdict: Verdict, before: Known, at: datetime) -> None:
    """Close an account only when two complete answers, a minute apart, leave it out."""
    since = before.missing_since or at
    gone = before.missing_reads >= 1 and at - since >= GONE_AFTER
    reads = before.missing_reads + 1
    verdict.states.append(
        replace(before, missing_since=since, missing_reads=min(reads, 99), closed=gone)
    )
    if gone:
        reason = f"left out of {reads} complete answers"
        verdict.changes.append(
            Change(
                before.account_id,
                "closed",
                "false",
                "true",
                severity="warning",
                reason=reason,
            )
        )


def _weigh(
    verdict: Verdict,
    known: Mapping[str, Known],
    invariants: Sequence[Invariant],
    ids: Mapping[str, UUID],
) -> None:
    for told in invariants:
        account = ids.get(told.external_id)
        if account is None:
            continue
        if told.expected != told.actual:
            verdict.disagreements.append(
                Disagreement(account, told.name, told.expected, told.actual)
            )
        elif (before := known.get(told.external_id)) is not None and (
            told.name in before.open_discrepancies
        ):
            verdict.agreements.append((account, told.name))


def _result(
    reading: Reading, status: str, total: int | None, error: str = ""
) -> dict[str, str | None]:
    return {
        "account": reading.external_id,
        "name": clean(reading.name, LONGEST_NAME),
        "status": status,
        "total": None if total is None else str(total),
        "error": error or None,
    }


def _text(value: int | bool | None) -> str:
    return "" if value is None else str(value).lower()
