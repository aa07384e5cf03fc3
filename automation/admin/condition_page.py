"""The conditions on the page of one rule: its rows, what they come to, what is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from automation.rules import Problem

from .condition_forms import (
    FIELDS,
    ConditionFormSet,
    condition_initial,
    in_place,
    watchable,
)
from .condition_rows import EMPTY, Writing, empty_groups, is_bare, tree


class ConditionRows:
    """One visit: `typed` is what came back, `stored` what the rule says until now."""

    def __init__(
        self,
        typed: Mapping | None,
        stored: Mapping[str, Any] | None,
        workspaces: Iterable,
    ) -> None:
        self.stored = stored
        self.formset = ConditionFormSet(
            typed,
            prefix="conditions",
            initial=condition_initial(stored),
            form_kwargs={"accounts": watchable(workspaces, stored)},
        )
        self.writing = Writing("")

    def is_valid(self) -> bool:
        """Say whether the rows can be read; a group that holds nothing says so."""
        if not self.formset.is_valid():
            return False
        empty = list(empty_groups(tree(in_place(self.formset))))
        for form in empty:
            form.add_error("what", EMPTY)
        return not empty

    def document(self, form: Any, asset: str) -> dict[str, Any] | None:
        """Return the conditions in the words of the API; `asset` is the rule's."""
        self.writing = Writing(asset)
        said = form.cleaned_data
        found = self.writing.written(
            said["conditions_how"] or "all",
            tree(in_place(self.formset)),
            bare=is_bare(self.stored),
        )
        instead = said["conditions_else"]
        if found is None and instead is None:
            return None
        # Another rule without a condition is refused, and told where it was chosen.
        return (found or {"all": []}) | {"else": str(instead.pk) if instead else "skip"}

    def place(self, form: Any, problem: Problem) -> bool:
        """Put a problem at the row that it is about; False if it is not about any."""
        if problem.field.split(".")[0] != "conditions":
            return False
        row, name = self.writing.row_of(problem.field)
        if row is not None:
            name = FIELDS.get(name, name)
            row.add_error(name if name in row.fields else None, problem.message)
        elif problem.field == "conditions.else" or not self.writing.places:
            form.add_error("conditions_else", problem.message)
        else:
            form.add_error("conditions_how", problem.message)
        return True
