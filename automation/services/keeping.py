"""The one writer of rules: API, admin and files all come through here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import structlog
from django.db import transaction
from django.utils.timezone import now

import providers
from accounts.models import Account, Workspace
from accounts.services import audit, told_as_one
from automation.models import Rule
from automation.rules import Problem, RuleSpec, problems
from automation.rules.identity import as_uuid
from automation.rules.trigger_problems import trigger_problems
from automation.schedules import schedule

from .circles import circles
from .condition_document import accounts_told
from .document import READ_ONLY, Document, RuleInvalid, read_rule
from .fields import NO_ASSET
from .locks import in_order
from .pay import kept_cycle
from .retiring import only_off, switch_off
from .routes import NoRoute, route
from .storing import columns, keep_legs, keep_triggers
from .telling import rule_data
from .terms import holdings

log = structlog.get_logger("automation.rules")


def write_rule(
    workspace: Workspace, data: Any, *, rule: Rule | None = None, user=None
) -> Rule:
    """Keep the rule that `data` describes, all of it, or raise RuleInvalid with every reason.

    With `rule`, that one is replaced. New triggers, and those of a rule that was
    disabled, start counting from now. To switch off a rule is refused to nobody.
    """
    if rule is not None and only_off(rule, data):
        kept = switch_off(rule)
        say_written(kept, user)
        return kept
    accounts = accounts_named(workspace, data)
    rules = rules_named(workspace, data)
    known = read_rule(
        data,
        lambda name: asset_of(accounts, name),
        rule_asset=lambda name: asset_of(rules, name),
        id=str(rule.pk) if rule else "",
    )
    wrong = unique(
        [
            *known.problems,
            *spec_problems(known, accounts),
            *of_triggers(known),
            *of_rules(known, rules),
        ]
    )
    if wrong:
        raise RuleInvalid(wrong)
    kept = save(workspace, known, rule)
    say_written(kept, user)
    return kept


def say_written(rule: Rule, user: Any) -> None:
    told = {"rule": str(rule.pk), "by": str(user.pk) if user is not None else None}
    transaction.on_commit(lambda: log.info("rule_written", **told))


def accounts_named(workspace: Workspace, data: Any) -> dict[str, Account]:
    """Return the accounts that `data` names, of this workspace and no other."""
    named = [row.get("account") for row in rows_of(data, "legs", "triggers")]
    if isinstance(data, Mapping):
        named += accounts_told(data.get("conditions"))
    ids = {found for name in named if (found := as_uuid(name))}
    rows = Account.objects.filter(workspace=workspace, pk__in=ids)
    found = rows.select_related("connection", "parent", "balance")
    return {str(account.pk): account for account in found}


def rules_named(workspace: Workspace, data: Any) -> dict[str, Rule]:
    """Return the other rules that `data` names, of this workspace and no other."""
    named = [row.get("rule") for row in rows_of(data, "triggers")]
    if isinstance(data, Mapping):
        before, conditions = data.get("depends_on"), data.get("conditions")
        named += before if isinstance(before, list) else []
        named += [conditions.get("else")] if isinstance(conditions, Mapping) else []
    ids = {found for name in named if (found := as_uuid(name))}
    rows = Rule.objects.in_use().filter(workspace=workspace, pk__in=ids) if ids else ()
    return {str(rule.pk): rule for rule in rows}


def rows_of(data: Any, *names: str) -> list[Mapping[str, Any]]:
    """Return the objects in lists of `data`, whatever else may stand there."""
    lists = [data.get(name) for name in names] if isinstance(data, Mapping) else []
    rows = [row for found in lists if isinstance(found, list) for row in found]
    return [row for row in rows if isinstance(row, Mapping)]


def asset_of(known: Mapping[str, Account] | Mapping[str, Rule], name: Any) -> str:
    found = known.get(name.lower()) if isinstance(name, str) else None
    return found.asset if found else ""


def unique(found: Sequence[Problem]) -> list[Problem]:
    """Return the first problem of each field: what follows from it helps nobody."""
    first: dict[str, Problem] = {}
    for problem in found:
        first.setdefault(problem.field, problem)
    return list(first.values())


def spec_problems(known: Document, accounts: Mapping[str, Account]) -> list[Problem]:
    held = holdings(accounts.values(), now=now())
    found = problems(known.spec, held)
    if not known.spec.asset:
        found = [p for p in found if p.field != "asset"]
    # First: what else is wrong between two institutions follows from it.
    apart = of_institutions(known.spec, accounts)
    return [*apart, *found, *of_routes(known.spec, accounts)]


def of_institutions(
    spec: RuleSpec, accounts: Mapping[str, Account]
) -> Iterator[Problem]:
    """Yield legs that are not where the money of the rule comes from."""
    legs = [(i, leg, accounts.get(leg.account)) for i, leg in enumerate(spec.legs)]
    sources = [held for _, leg, held in legs if held and leg.role == "source"]
    for index, _, held in legs:
        if held and sources and held.provider != sources[0].provider:
            text = (
                f"{held} is at {told_provider(held.provider)} and {sources[0]} at "
                f"{told_provider(sources[0].provider)}: balsync moves money within one "
                "account and its pots, never from one institution to another"
            )
            yield Problem(f"legs.{index}.account", "different_provider", text)


def told_provider(slug: str) -> str:
    return providers.load(slug).name if slug in providers.slugs() else slug


def of_routes(spec: RuleSpec, accounts: Mapping[str, Account]) -> Iterator[Problem]:
    """Yield moves that no provider can make."""
    sources = [leg for leg in spec.legs if leg.role == "source"]
    for index, leg in enumerate(spec.legs):
        target = accounts.get(leg.account)
        if leg.role == "source" or target is None:
            continue
        for source in sources:
            try:
                check_route(accounts.get(source.account), target, leg.strategy)
            except NoRoute as error:
                yield Problem(f"legs.{index}.account", "cannot_move", str(error))


def check_route(source: Account | None, target: Account, strategy: str) -> None:
    if source is None or source == target:
        return
    route(source, target)
    if strategy == "balance":
        route(target, source)


def of_triggers(known: Document) -> Iterator[Problem]:
    for index, trigger in enumerate(known.triggers):
        if not trigger.kind:
            continue
        for problem in trigger_problems(trigger, known.spec.asset or NO_ASSET):
            yield Problem(
                f"triggers.{index}.{problem.field}", problem.code, problem.message
            )


def of_rules(known: Document, rules: Mapping[str, Rule]) -> Iterator[Problem]:
    """Yield other rules that are named but are none of this workspace."""
    text = "There is no such rule"
    for index, name in enumerate(known.depends_on):
        if name not in rules:
            yield Problem(f"depends_on.{index}", "unknown_rule", text)
    conditions = known.spec.conditions
    if conditions and conditions.otherwise and conditions.otherwise not in rules:
        yield Problem("conditions.else", "unknown_rule", text)


@transaction.atomic
def save(workspace: Workspace, known: Document, rule: Rule | None) -> Rule:
    """Write rule, legs and triggers in one transaction, and say when it is due."""
    # Two writers might close a circle together.
    list(Workspace.objects.select_for_update(no_key=True).filter(pk=workspace.pk))
    if rule is None:
        rule = Rule(workspace=workspace)
    else:
        in_order(rule.runs.unfinished())  # a success locks its run before its rule
        rule = Rule.objects.select_for_update().get(pk=rule.pk)
        in_order(rule.triggers.all())
    before = {} if rule._state.adding else rule_data(rule)
    with told_as_one("rule"):
        write(rule, known)
    if wrong := list(circles(rule)):
        raise RuleInvalid(wrong)
    kept = Rule.objects.prefetch_related("legs", "triggers").get(pk=rule.pk)
    tell(kept, before)
    return kept


def write(rule: Rule, known: Document) -> None:
    """Write the rows of a rule as `known` says."""
    going_on = rule.enabled and not rule._state.adding
    for name, value in columns(known).items():
        setattr(rule, name, value)
    rule.save()
    rule.depends_on.set(known.depends_on)
    keep_legs(rule, known.spec)
    triggers = keep_triggers(rule, known.triggers)
    rule.pay_cycle = kept_cycle(known.spec.pay_cycle, known.triggers, triggers)
    rule.save(update_fields=["pay_cycle"])
    schedule(rule, going_on=going_on)


def tell(rule: Rule, before: Mapping[str, Any]) -> None:
    """Write down what is another than `before`; nothing where all is as it was."""
    after = rule_data(rule)
    changed = [
        name
        for name, value in after.items()
        if name not in READ_ONLY and value != before.get(name)
    ]
    if not changed:
        return
    old = {name: before[name] for name in changed if name in before}
    new = {name: after[name] for name in changed}
    audit("rule.changed" if before else "rule.created", rule, old=old, new=new)
