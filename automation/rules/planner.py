"""The one planner: preview, simulation, replay and every run call it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import lru_cache
from types import MappingProxyType

from .autosort import autosort
from .conditions import accounts_of
from .draft import Draft
from .gate import Gate
from .identity import written
from .limits import trim
from .problems import terms_problems
from .sweep import sweep
from .terms import Holding, Move, Plan, RuleError, RuleSpec
from .topup import topup

KINDS: Mapping[str, Callable[[Draft], None]] = MappingProxyType(
    {"sweep": sweep, "autosort": autosort, "topup": topup}
)
NOTHING: Mapping[str, int] = MappingProxyType({})
NO_PAYMENTS: Mapping[str, Sequence[int]] = MappingProxyType({})


def plan(
    rule: RuleSpec,
    holdings: Mapping[str, Holding],
    *,
    now: datetime,
    spent: Mapping[str, int] = NOTHING,
    payments: Mapping[str, Sequence[int]] = NO_PAYMENTS,
    owed: Mapping[str, int] = NOTHING,
    amount: int | None = None,
    before: Sequence[Move] = (),
    preview: bool = False,
    older: bool = False,
    later: date | None = None,
) -> Plan:
    """Return what `rule` would do with `holdings`, in minor units, and why.

    `spent` is what left each bills pot since payday, `payments` what was paid by card
    from each account and not rounded up yet, `owed` what was left over when earlier ones
    were, `amount` that of the transaction that made it due, `before` what the same
    occurrence has moved already. A preview also plans a disabled rule, and takes a current
    account's older reading, since a run reads it again; with `older` somebody is asked
    about readings of up to 15 minutes. Conditions that do not hold are looked at again on
    the day `later`, if there is one. Raises RuleError for a rule that `problems` refuses,
    never for any holdings.
    """
    terms = checked(rule)

    def draft(older: bool) -> Draft:
        return Draft(
            rule,
            holdings,
            now,
            spent=spent,
            payments=payments,
            owed=owed,
            amount=amount,
            before=before,
            asked=terms.asked,
            preview=preview,
            older=older,
            later=later,
        )

    found = decide(draft(older), terms)
    if found.outcome != "skipped_stale" or rule.on_stale != "ask" or older:
        return found
    return replace(found, ask=bool(decide(draft(True), terms).moves))


def decide(draft: Draft, terms: Terms) -> Plan:
    """Return what a draft comes to."""
    rule = draft.rule
    if not rule.enabled:
        note = draft.say if draft.preview else draft.block
        note("disabled", None, "This rule is disabled")
    if (rule.enabled or draft.preview) and may_go_on(draft):
        KINDS[rule.kind](draft)
    return draft.finish(trim(draft), terms.written)


def may_go_on(draft: Draft) -> bool:
    """Tell whether the conditions let the rule plan."""
    conditions = draft.rule.conditions
    if conditions is None or Gate(draft).opens(conditions):
        return True
    # Protection is the graver reason, where it alone would have stopped everything.
    before = len(draft.trace), dict(draft.blocks)
    KINDS[draft.rule.kind](draft)
    protected = None if draft.wants else draft.blocks.get("protected")
    draft.wants, draft.retry, draft.blocks = [], False, before[1]
    del draft.trace[before[0] :]
    if protected:
        draft.instead = ""
        draft.block("protected", None, protected)
    return False


@dataclass(frozen=True, slots=True)
class Terms:
    """What follows from the words of a sound rule, worked out once."""

    written: str
    asked: tuple[str, ...]  # accounts that its conditions ask about


@lru_cache(maxsize=16_384)  # 2 kB each
def checked(rule: RuleSpec) -> Terms:
    """Return the terms of a sound rule; raises RuleError for any other."""
    if wrong := terms_problems(rule):
        raise RuleError(wrong)
    return Terms(written(rule), accounts_of(rule.conditions))
