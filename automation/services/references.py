"""Accounts and rules as a file names them, so that another installation finds its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from accounts.models import Account, Workspace
from automation.models import Rule
from automation.rules import Problem
from automation.rules.identity import as_uuid

from .strict_yaml import Inline

Resolver = Callable[[Any, str], str]
# Where a rule names others; `else` may also say "skip".
ACCOUNT, RULE, ELSE, MANY_RULES = "account", "rule", "else", "depends_on"
SKIP = "skip"


class UnknownReference(ValueError):
    """This names nothing that is here."""

    def __init__(self, at: str, code: str, message: str) -> None:
        self.problem = Problem(at, code, message)
        super().__init__(f"{at}: {message}")


def replaced(value: Any, account: Resolver, rule: Resolver, at: str = "") -> Any:
    """Return `value` with every name of an account or a rule replaced, at any depth."""
    if isinstance(value, list):
        return [
            replaced(each, account, rule, f"{at}.{index}")
            for index, each in enumerate(value)
        ]
    if not isinstance(value, Mapping):
        return value
    found = {}
    for key, inner in value.items():
        path = f"{at}.{key}" if at else str(key)
        if key == ACCOUNT and inner is not None:
            found[key] = account(inner, path)
        elif key == RULE or (key == ELSE and inner != SKIP):
            found[key] = inner if inner is None else rule(inner, path)
        elif key == MANY_RULES and isinstance(inner, list):
            found[key] = [rule(e, f"{path}.{i}") for i, e in enumerate(inner)]
        else:
            found[key] = replaced(inner, account, rule, path)
    return found


def fields_of(value: Any, at: str, known: Iterable[str]) -> Mapping[str, str]:
    """Return a reference as texts by field; raises UnknownReference."""
    if isinstance(value, str):
        return {"id": value}
    named = isinstance(value, Mapping) and value and set(value) <= set(known)
    if not named or not all(isinstance(each, str) for each in value.values()):
        text = f"An id, or an object of {', '.join(known)}"
        raise UnknownReference(at, "invalid_reference", text)
    return value


class Accounts:
    """The accounts of a workspace, by what a file may call them."""

    FIELDS = ("id", "provider", "external_id", "name")

    def __init__(self, workspace: Workspace) -> None:
        rows = list(Account.objects.filter(workspace=workspace))
        self.by_id = {str(row.pk): row for row in rows}
        # Where two connections show one account, the one that moves money is meant.
        rows.sort(key=lambda row: row.automates)
        self.by_place = {(row.provider, row.external_id): row for row in rows}

    def told(self, pk: Any, at: str = "") -> Any:
        """Return how a file names an account."""
        row = self.by_id.get(str(pk))
        if row is None:
            return pk
        place = {"provider": row.provider, "external_id": row.external_id}
        return Inline({"name": str(row), **place, "id": str(row.pk)})

    def found(self, value: Any, at: str) -> str:
        """Return the id of the account that a file names; raises UnknownReference.

        Its place at the provider says which; the id is for accounts without one. The
        name is for readers only.
        """
        told = fields_of(value, at, self.FIELDS)
        pk = str(as_uuid(told.get("id")))
        place = (told.get("provider", ""), told.get("external_id", ""))
        if any(place):
            same = self.by_id.get(pk)
            if same is not None and (same.provider, same.external_id) == place:
                return pk
            row = self.by_place.get(place)
        else:
            row = self.by_id.get(pk)
        if row is None:
            text = f"There is no account {' '.join(told.values())}"
            raise UnknownReference(at, "unknown_account", text)
        return str(row.pk)


class Rules:
    """The rules of a workspace, and those that a file is about to make."""

    FIELDS = ("id", "name")

    def __init__(self, workspace: Workspace) -> None:
        rows = list(Rule.objects.filter(workspace=workspace))
        self.by_id = {str(row.pk): row for row in rows}
        self.by_name: dict[str, list[Rule]] = {}
        for row in rows:
            if row.archived_at is None:
                self.by_name.setdefault(row.name, []).append(row)
        self.alias: dict[str, Rule] = {}  # ids of another installation

    def told(self, pk: Any, at: str = "") -> Any:
        """Return how a file names a rule."""
        row = self.by_id.get(str(pk))
        return Inline(name=row.name, id=str(row.pk)) if row is not None else pk

    def match(self, told: Mapping[str, Any], at: str) -> Rule | None:
        """Return the rule that a file's rule or reference is about, if it is here."""
        pk = str(as_uuid(told.get("id")))
        if (row := self.by_id.get(pk) or self.alias.get(pk)) is not None:
            return row
        named = self.by_name.get(told.get("name", ""), [])
        if len(named) > 1:
            text = f"Several rules are called {told['name']!r}: give the id"
            raise UnknownReference(at, "ambiguous_name", text)
        return named[0] if named else None

    def found(self, value: Any, at: str) -> str:
        """Return the id of the rule that a file refers to; raises UnknownReference."""
        told = fields_of(value, at, self.FIELDS)
        row = self.match(told, at)
        if row is None:
            text = f"There is no rule {' '.join(told.values())}"
            raise UnknownReference(at, "unknown_rule", text)
        return str(row.pk)

    def add(self, row: Rule, told: Mapping[str, Any]) -> None:
        """Remember what a rule of the file has become here."""
        before = self.by_id.get(str(row.pk))
        if before is not None and before in self.by_name.get(before.name, []):
            self.by_name[before.name].remove(before)
        self.by_id[str(row.pk)] = row
        self.by_name.setdefault(row.name, []).append(row)
        if pk := as_uuid(told.get("id")):
            self.alias[str(pk)] = row
