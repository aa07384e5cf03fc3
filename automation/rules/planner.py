"""The one planner: preview, simulation, replay and every run call it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from types import MappingProxyType

from .autosort import autosort
from .draft import Draft
from .identity import written
from .limits import trim
from .problems import terms_problems
from .sweep import sweep
from .terms import Holding, Plan, RuleError, RuleSpec
from .topup import topup

KINDS: Mapping[str, Callable[[Draft], None]] = MappingProxyType(
    {"sweep": sweep, "autosort": autosort, "topup": topup}
)
NOTHING: Mapping[str, int] = MappingProxyType({})


def plan(
    rule: RuleSpec,
    holdings: Mapping[str, Holding],
    *,
    now: datetime,
    spent: Mapping[str, int] = NOTHING,
    preview: bool = False,
) -> Plan:
    """Return what `rule` would do with `holdings`, in minor units, and why.

    `spent` is what left each bills pot since payday. A preview also plans a disabled
    rule, and takes a current account's older reading, since a run reads it again.
    Raises RuleError for a rule that `problems` refuses, never for any holdings.
    """
    terms = checked(rule)
    draft = Draft(rule, holdings, now=now, spent=spent, preview=preview)
    if not rule.enabled:
        note = draft.say if preview else draft.block
        note("disabled", None, "This rule is disabled")
    if rule.enabled or preview:
        KINDS[rule.kind](draft)
    return draft.finish(trim(draft), terms)


@lru_cache(maxsize=4096)
def checked(rule: RuleSpec) -> str:
    """Return what a sound rule says, for its hash; raises RuleError for any other."""
    if wrong := terms_problems(rule):
        raise RuleError(wrong)
    return written(rule)
