"""What was understood of a rule, written to its rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from django.utils.timezone import now

from automation.models import Rule, RuleLeg, Trigger
from automation.rules import RuleSpec
from automation.rules.localtime import midnight, zone_of
from automation.rules.triggers import TriggerSpec
from automation.schedules import trigger_spec

from .condition_document import written_conditions
from .document import LIMITS, MONEY, SHARES, Document
from .terms import leg_spec

ALIKE = (
    "name",
    "kind",
    "asset",
    "enabled",
    "timezone",
    "rest",
    "on_stale",
    "round_to",
)
LEG_ALIKE = (
    *("role", "order", "strategy", "accounts", "due", "multiplier"),
    *MONEY,
    *SHARES,
)


def columns(known: Document) -> dict[str, Any]:
    spec = known.spec
    return {
        **{name: getattr(spec, name) for name in ALIKE},
        **{name: getattr(spec.limits, name) for name in LIMITS},
        **known.seconds,
        "on_short": spec.on_short or "",
        "priority": known.priority,
        "approval": known.approval,
        "tolerance": known.tolerance,
        "conditions": written_conditions(spec.conditions),
    }


def keep_legs(rule: Rule, spec: RuleSpec) -> None:
    """Replace the legs if they changed; one that rounds up goes on from where it began.

    A new one counts the payments of today, the whole day, and later ones. What transfers
    left open of round-ups is known only as long as the legs stay.
    """
    if [leg_spec(leg) for leg in rule.legs.order_by("created")] == list(spec.legs):
        return
    rounding = rule.legs.filter(strategy="round_ups")
    begun = {
        str(pk): since for pk, since in rounding.values_list("account_id", "since")
    }
    today = midnight(now(), zone_of(spec.timezone))
    rule.legs.all().delete()
    RuleLeg.objects.bulk_create(
        RuleLeg(
            rule=rule,
            account_id=leg.account or None,
            since=begun.get(leg.account, today)
            if leg.strategy == "round_ups"
            else None,
            **{name: getattr(leg, name) for name in LEG_ALIKE},
        )
        for leg in spec.legs
    )


def keep_triggers(rule: Rule, wanted: Sequence[TriggerSpec]) -> list[Trigger]:
    """Replace the triggers and return them as wanted.

    One that stays as it was remembers when it fired; another of its kind does so in its
    stead, also where a run of the one before has yet to succeed.
    """
    old = list(rule.triggers.all())
    fresh, kept = [], []
    for spec in wanted:
        same = next(
            (t for t in old if written(t) == spec or trigger_spec(t) == spec), None
        )
        if same is not None:
            old.remove(same)
        else:
            fresh.append(same := Trigger(rule=rule, **asdict_known(spec)))
        kept.append(same)
    fired = {t.kind: t.last_fired_at for t in old if t.last_fired_at}
    for trigger in fresh:
        trigger.last_fired_at = fired.get(trigger.kind)
    Trigger.objects.bulk_create(fresh)
    heirs = {t.kind: t for t in fresh}
    for gone in old:
        if gone.kind in heirs:
            begun = rule.runs.unfinished().filter(trigger=gone)
            begun.update(trigger=heirs[gone.kind])
    Trigger.objects.filter(pk__in=[t.pk for t in old]).delete()
    return kept


def written(trigger: Trigger) -> TriggerSpec:
    """Return `trigger` as it was written down: without a default anchor."""
    spec = asdict(trigger_spec(trigger)) | {"anchor": trigger.anchor}
    return TriggerSpec(**spec)


def asdict_known(spec: TriggerSpec) -> dict[str, Any]:
    """Return `spec` as the columns of a row; ids stand for other rows."""
    names = {f.name for f in Trigger._meta.fields} - {"rule", "account"}
    known = {name: value for name, value in asdict(spec).items() if name in names}
    return known | {
        "account_id": spec.account or None,
        "upstream_id": spec.rule or None,
    }
