"""What an answer leaves out: when an account is gone, and when that is not believed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from providers.base import Observation, Reading
from providers.money import Asset

from .doubting import LONGEST_TEXT, aside, blocking
from .text import clean
from .validator import Checks
from .verdicts import Change, Heard, Issue, Known, Verdict

NOTHING: Mapping[str, Known] = {}
GONE_AFTER = timedelta(seconds=60)  # between two complete answers without an account
WHY = "The provider left it out"
INCOMPLETE = "incomplete"
UNTOLD = "The provider did not tell of all that is there"


def with_zeros(
    heard: Heard, known: Mapping[str, Known]
) -> tuple[Heard, Mapping[str, Known]]:
    """Return an answer with what it leaves out because nothing is held there.

    Only where the provider lists nothing but what is held, and told all of that. Also
    returns the accounts that held something and are left out now.
    """
    observation = heard.observation
    if not (observation.lists_held_only and observation.complete):
        return heard, NOTHING
    told = {reading.external_id for reading in observation.readings}
    missing = {
        name: before
        for name, before in known.items()
        if name not in told and before.active and not before.closed
    }
    if not missing:
        return heard, NOTHING
    readings = [*observation.readings, *(map(_nothing, missing, missing.values()))]
    emptied = {name: before for name, before in missing.items() if before.total}
    return replace(heard, observation=replace(observation, readings=readings)), emptied


def _nothing(name: str, before: Known) -> Reading:
    asset = Asset.parse(before.asset)
    return Reading(
        name,
        asset,
        total=0,
        available=0,
        name=before.name,
        kind=before.kind,
        can_send=before.can_send,
        can_receive=before.can_receive,
    )


def lack(verdict: Verdict, observation: Observation) -> None:
    """Note that an answer tells itself that there is more than its readings."""
    if observation.lacks or (verdict.status == "ok" and not observation.complete):
        verdict.status, verdict.error_code = "partial", INCOMPLETE
        verdict.error = clean(observation.lacks, LONGEST_TEXT) or UNTOLD


def miss(
    verdict: Verdict,
    known: Mapping[str, Known],
    heard: Heard,
    checks: Checks | None = None,
) -> None:
    """Mark what the answer leaves out, and count how often it was left out."""
    told = {reading.external_id for reading in heard.observation.readings}
    there = {n: a for n, a in known.items() if a.active and not a.closed}
    missing = {name: before for name, before in there.items() if name not in told}
    if not missing:
        return
    verdict.status = "partial"
    complete = heard.observation.complete
    why = clean(heard.observation.lacks, LONGEST_TEXT) or WHY
    doubts: Mapping[str, Issue] = {}
    if checks is not None and complete:
        doubts = checks.vanished(missing, len(there))
    for name, before in missing.items():
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
        if name in doubts and blocking([doubts[name]]):
            aside(verdict, before.account_id, name, doubts[name])
        if complete:
            _vanish(verdict, name, before, heard.asked_at)


def _vanish(verdict: Verdict, name: str, before: Known, at: datetime) -> None:
    """Close an account only when two complete answers, a minute apart, leave it out."""
    since = before.missing_since or at
    gone = before.missing_reads >= 1 and at - since >= GONE_AFTER
    reads = before.missing_reads + 1
    verdict.states.append(
        replace(before, missing_since=since, missing_reads=min(reads, 99), closed=gone)
    )
    if not gone:
        return
    if before.quarantined:
        verdict.released.append(name)
        verdict.quarantined = [q for q in verdict.quarantined if q.external_id != name]
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
