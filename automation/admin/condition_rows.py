"""Conditions as an outline: rows that stand inside each other, and what they come to."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

GROUPS = ("all", "any", "not")
DEEPEST = 3  # groups inside each other that are rows; what is deeper is kept as it is
KEPT = "kept"
EMPTY = "Put a condition inside, or remove it."

Row = dict[str, Any]  # what one row of the form holds


# From the document to rows


def rows_of(conditions: Mapping[str, Any] | None) -> tuple[str, list[Row]]:
    """Return how the outermost rows are joined, and all rows in the order they stand."""
    if conditions is None:
        return "all", []
    test = {name: value for name, value in conditions.items() if name != "else"}
    how, parts = opened(test) if group_of(test) else ("all", [test])
    return how, [row for part in parts for row in outline(part, 0)]


def is_bare(conditions: Mapping[str, Any] | None) -> bool:
    """Tell whether conditions are one comparison that stands in no group."""
    return conditions is not None and group_of(conditions) is None


def group_of(test: Mapping[str, Any]) -> str | None:
    return next((how for how in GROUPS if how in test), None)


def opened(test: Mapping[str, Any]) -> tuple[str, list[Mapping[str, Any]]]:
    """Return the kind of a group and its parts; that none of many holds is one group."""
    if "not" not in test:
        how = "all" if "all" in test else "any"
        return how, test[how]
    inner = test["not"]
    many = isinstance(inner.get("any"), list) and len(inner["any"]) > 1
    return "not", inner["any"] if many else [inner]


def outline(test: Mapping[str, Any], level: int) -> Iterator[Row]:
    """Yield the row of `test` and those inside of it."""
    how = group_of(test)
    if how is None:
        yield {"level": level, **compared(test)}
        return
    _, parts = opened(test)
    if level >= DEEPEST or not parts:
        yield {"level": level, "what": KEPT, KEPT: json.dumps(test)}
        return
    yield {"level": level, "what": how}
    for part in parts:
        yield from outline(part, level + 1)


def compared(test: Mapping[str, Any]) -> Row:
    """Return a comparison as it is typed: money in whole units."""
    value = test["value"]
    return {
        "what": test["field"],
        "account": test.get("account"),
        "op": test["op"],
        "value": value if isinstance(value, str) else value["amount"],
    }


# From rows to the document


@dataclass
class Node:
    """One row, and the rows inside of it."""

    form: Any
    parts: list[Node] = field(default_factory=list)

    @property
    def what(self) -> str:
        return self.form.cleaned_data["what"]


def tree(forms: Iterable[Any]) -> list[Node]:
    """Return rows as what stands inside of what; struck groups go with all in them.

    A row that is too deep for where it stands is taken into the group above it.
    """
    top: list[Node] = []
    way: list[tuple[int, Node, bool]] = []  # the groups around the next row
    for form in forms:
        level = form.cleaned_data.get("level") or 0
        while way and way[-1][0] >= level:
            way.pop()
        gone = form.cleaned_data.get("DELETE", False) or bool(way and way[-1][2])
        node = Node(form)
        if not gone:
            (way[-1][1].parts if way else top).append(node)
        if node.what in GROUPS:
            way.append((level, node, gone))
    return top


class Writing:
    """Turns rows into the document, and remembers which row became what of it."""

    def __init__(self, asset: str) -> None:
        self.asset = asset
        self.places: dict[str, Any] = {}

    def written(
        self, how: str, top: Sequence[Node], *, bare: bool = False
    ) -> dict[str, Any] | None:
        """Return the conditions without `else`; None where there are no rows.

        `bare`: one comparison alone needs no group around it.
        """
        if not top:
            return None
        if bare and how == "all" and len(top) == 1 and top[0].what not in GROUPS:
            return self.test(top[0], "conditions")
        return self.group(how, top, "conditions")

    def group(self, how: str, parts: Sequence[Node], at: str) -> dict[str, Any]:
        if how == "not" and len(parts) == 1:
            return {"not": self.test(parts[0], f"{at}.not")}
        if how == "not":
            return {"not": self.group("any", parts, f"{at}.not")}
        found = [self.test(part, f"{at}.{how}.{i}") for i, part in enumerate(parts)]
        return {how: found}

    def test(self, node: Node, at: str) -> dict[str, Any]:
        self.places[at] = node.form
        if node.what in GROUPS:
            return self.group(node.what, node.parts, at)
        return node.form.words(self.asset)

    def row_of(self, problem: str) -> tuple[Any, str]:
        """Return the row that a problem is about, and the field of it; None if of none."""
        parts = problem.split(".")
        for size in range(len(parts), 0, -1):
            if form := self.places.get(".".join(parts[:size])):
                return form, "".join(parts[size : size + 1])
        return None, ""


def empty_groups(nodes: Iterable[Node]) -> Iterator[Any]:
    """Yield the rows of groups in which nothing stands."""
    for node in nodes:
        if node.what in GROUPS and not node.parts:
            yield node.form
        yield from empty_groups(node.parts)
