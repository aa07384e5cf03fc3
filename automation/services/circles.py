"""Refuses rules that would wait for or start each other in a circle."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from automation.models import Rule, Trigger
from automation.rules import Problem
from automation.rules.cycles import find_cycle


def circles(rule: Rule) -> Iterator[Problem]:
    """Yield why `rule`, as it is written now, closes a circle with others.

    The caller holds the lock of the workspace: two writers might close one together.
    """
    edges = list(starts(rule))
    following: dict[str, list[str]] = defaultdict(list)
    for before, after, _ in edges:
        following[before].append(after)
    mine = str(rule.pk)
    circle = find_cycle(mine, following)
    if circle is None:
        return
    fields = {(before, after): field for before, after, field in edges}
    last = fields[circle[-2], circle[-1]]
    field = last if last != "conditions.else" else fields[circle[0], circle[1]]
    rows = Rule.objects.filter(pk__in=circle).values_list("pk", "name")
    names = {str(pk): name for pk, name in rows}
    text = "These rules wait for each other: " + " → ".join(names[r] for r in circle)
    yield Problem(field, "circle", text)


def starts(rule: Rule) -> Iterator[tuple[str, str, str]]:
    """Yield (before, after, field) for all rules of the workspace of `rule`."""
    rules = Rule.objects.in_use().filter(workspace=rule.workspace_id)
    after = Trigger.objects.filter(rule__in=rules, kind=Trigger.Kind.AFTER_RULE)
    for before, then in after.values_list("upstream_id", "rule_id"):
        yield str(before), str(then), "triggers"
    depends = Rule.depends_on.through.objects.filter(from_rule__in=rules)
    for then, before in depends.values_list("from_rule_id", "to_rule_id"):
        yield str(before), str(then), "depends_on"
    for pk, conditions in rules.exclude(conditions=None).values_list(
        "pk", "conditions"
    ):
        instead = conditions.get("else", "skip")
        if instead != "skip":
            yield str(pk), str(instead), "conditions.else"
