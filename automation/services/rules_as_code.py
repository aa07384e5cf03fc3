"""Rules as a file: told as the API tells them, read as strictly, all or none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from graphlib import CycleError, TopologicalSorter
from typing import Any

from django.db import transaction

from accounts.models import Workspace
from automation.models import Rule
from automation.rules import Problem
from automation.rules.identity import as_uuid

from .document import READ_ONLY, RuleInvalid
from .keeping import write_rule
from .references import (
    Accounts,
    Rules,
    UnknownReference,
    replaced,
)
from .strict_yaml import Inline, YamlError, dump, load
from .telling import rule_data

FORMAT = "balsync/rules/1"
MOST_RULES = 1000
# In the file, what one looks for stands first.
ORDER = ("id", "name", "kind", "enabled", "priority", "timezone", "asset", "legs")
LAST = ("triggers", "conditions", "limits")
MONEY = {"asset", "minor", "amount"}


@dataclass(frozen=True)
class Change:
    """What importing one rule does; `before` is empty where it is new."""

    rule: Rule
    before: dict[str, Any]
    after: dict[str, Any]

    @property
    def kind(self) -> str:
        if not self.before:
            return "new"
        return "same" if self.before == self.after else "changed"

    @property
    def lines(self) -> list[str]:
        """Return the difference as a patch; nothing where there is none."""
        before = dump(self.before).splitlines() if self.before else []
        name = self.rule.name
        told = unified_diff(
            before,
            dump(self.after).splitlines(),
            f"{self.before.get('name', name)} (here)",
            f"{name} (file)",
            lineterm="",
        )
        return list(told)


# -- out


def export_rules(workspace: Workspace, rules: Sequence[Rule] | None = None) -> str:
    """Return rules in use as a YAML file; without `rules`, all of the workspace."""
    if rules is None:
        rules = in_use(workspace)
    tell = Teller(Accounts(workspace), Rules(workspace))
    return dump({"format": FORMAT, "rules": [tell(rule) for rule in rules]})


def in_use(workspace: Workspace) -> list[Rule]:
    rows = Rule.objects.in_use().filter(workspace=workspace)
    return list(rows.prefetch_related("legs", "triggers"))


class Teller:
    """Tells rules of one workspace as a file does."""

    def __init__(self, accounts: Accounts, rules: Rules) -> None:
        self.accounts, self.rules = accounts, rules

    def __call__(self, rule: Rule) -> dict[str, Any]:
        told = {k: v for k, v in rule_data(rule).items() if k not in READ_ONLY[1:]}
        told = replaced(told, self.accounts.told, self.rules.told)
        names = [*ORDER, *(n for n in told if n not in ORDER + LAST), *LAST]
        shown = {name: short(told[name]) for name in names if name in told}
        return {k: v for k, v in shown.items() if v not in (None, {}, [])}


def short(value: Any) -> Any:
    """Return `value` with money in one spelling: an edit of two could contradict."""
    if isinstance(value, list):
        return [short(each) for each in value]
    if not isinstance(value, dict):
        return value
    if set(value) == MONEY:
        return Inline(asset=value["asset"], amount=value["amount"])
    told = {key: short(inner) for key, inner in value.items()}
    return Inline(told) if isinstance(value, Inline) else told


# -- in


def differences(workspace: Workspace, text: str) -> list[Change]:
    """Return what `import_rules` would do; writes nothing, raises the same."""
    with transaction.atomic():
        found = import_rules(workspace, text)
        transaction.set_rollback(True)
    return found


def import_rules(workspace: Workspace, text: str, *, user=None) -> list[Change]:
    """Write the rules of a file, all of them or none, and return what changed.

    A rule is that of its id, else the one in use of its name, else new; rules that the
    file leaves out stay. What is the same is not written. Raises YamlError, and
    RuleInvalid with every reason, by place in the file.
    """
    told = rules_in(load(text))
    with transaction.atomic():
        # Two imports at once must not both find a name free.
        Workspace.objects.select_for_update().get(pk=workspace.pk)
        return Importer(workspace, user).all(told)


def rules_in(data: Any) -> list[dict[str, Any]]:
    """Return the rules of a file as written; raises YamlError and RuleInvalid."""
    if not isinstance(data, Mapping) or data.get("format") != FORMAT:
        raise YamlError(f"A file of rules begins with `format: {FORMAT}`")
    rows = data.get("rules")
    unknown = sorted(data.keys() - {"format", "rules"})
    if unknown:
        raise YamlError(f"A file of rules has no {', '.join(unknown)}")
    if not isinstance(rows, list) or len(rows) > MOST_RULES:
        raise YamlError(f"`rules` is a list of at most {MOST_RULES}")
    wrong = [*shapes(rows)]
    if wrong:
        raise RuleInvalid(wrong)
    return rows


def shapes(rows: list[Any]) -> Iterator[Problem]:
    """Yield what cannot be a rule of a file, whatever its words mean."""
    seen: set[str] = set()
    for index, row in enumerate(rows):
        at = f"rules.{index}"
        if not isinstance(row, Mapping):
            yield Problem(at, "not_an_object", "A rule is an object")
            continue
        for name in sorted(row.keys() & set(READ_ONLY[1:])):
            yield Problem(f"{at}.{name}", "read_only", "Nobody can write this")
        pk = row.get("id")
        if pk is not None and as_uuid(pk) is None:
            yield Problem(f"{at}.id", "invalid", "An id is a UUID")
        for name in {str(row.get("name")), str(pk)} - {"None"}:
            if name in seen:
                yield Problem(at, "duplicate_rule", f"{name} is in the file twice")
            seen.add(name)


class Importer:
    """Writes the rules of one file into one workspace."""

    def __init__(self, workspace: Workspace, user: Any) -> None:
        self.workspace, self.user = workspace, user
        self.accounts, self.rules = Accounts(workspace), Rules(workspace)
        self.tell = Teller(self.accounts, self.rules)
        self.problems: list[Problem] = []
        self.done: set[Any] = set()

    def all(self, rows: Sequence[dict[str, Any]]) -> list[Change]:
        """Write every rule, those first that others name; raises RuleInvalid."""
        changes: dict[int, Change] = {}
        for index in in_turn(rows):
            change = self.one(rows[index], f"rules.{index}")
            if change is not None:
                changes[index] = change
        if self.problems:
            raise RuleInvalid(self.problems)
        return [changes[index] for index in sorted(changes)]

    def one(self, row: dict[str, Any], at: str) -> Change | None:
        """Write one rule; what is wrong with it is noted, so that all is told."""
        try:
            rule = self.matched(row, at)
            data = replaced(row, self.accounts.found, self.rules.found, at)
            data.pop("id", None)
            change = self.write(rule, data)
        except UnknownReference as error:
            self.problems.append(error.problem)
        except RuleInvalid as error:
            self.problems += [
                Problem(f"{at}.{p.field}", p.code, p.message) for p in error.problems
            ]
        else:
            self.rules.add(change.rule, row)
            return change
        return None

    def matched(self, row: Mapping[str, Any], at: str) -> Rule | None:
        """Return the rule that is meant; raises UnknownReference."""
        name = row.get("name")
        told = {"id": row.get("id"), "name": name if isinstance(name, str) else ""}
        rule = self.rules.match(told, at)
        if rule is None:
            return None
        if rule.archived_at is not None:
            raise UnknownReference(at, "archived", f"{rule} is archived")
        if rule.pk in self.done:
            text = f"{rule} is meant by another rule of this file already"
            raise UnknownReference(at, "duplicate_rule", text)
        self.done.add(rule.pk)
        return rule

    def write(self, rule: Rule | None, data: dict[str, Any]) -> Change:
        """Write a rule, and undo that where nothing has changed by it."""
        before = self.tell(rule) if rule is not None else {}
        # A savepoint of its own: what one mistake leaves behind must not spoil the rest.
        with transaction.atomic():
            written = write_rule(self.workspace, data, rule=rule, user=self.user)
            change = Change(written, before, self.tell(written))
            if change.kind == "same":
                transaction.set_rollback(True)
        return change


def in_turn(rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """Return the places of rules so that whatever one names comes before it."""
    places: dict[str, int] = {}
    for index, row in enumerate(rows):
        for name in (row.get("id"), row.get("name")):
            if isinstance(name, str):
                places.setdefault(name, index)
    needs = {
        index: {places[name] for name in named(row) if name in places}
        for index, row in enumerate(rows)
    }
    try:
        return list(TopologicalSorter(needs).static_order())
    except CycleError as error:
        text = "Rules of this file name each other in a circle"
        raise RuleInvalid([Problem("rules", "circle", text)]) from error


def named(row: Mapping[str, Any]) -> list[str]:
    """Return what a rule of a file calls the other rules that it names."""
    found: list[str] = []

    def note(value: Any, _at: str) -> str:
        told = value.values() if isinstance(value, Mapping) else [value]
        found.extend(each for each in told if isinstance(each, str))
        return ""

    replaced(row, lambda value, _at: "", note)
    return found
