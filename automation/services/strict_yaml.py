"""YAML in one reading only: no float, no `yes`, no doubled key, no alias, no tag.

YAML 1.1 reads `0.70` as a float, `12:30` as 750, `no` as false and `010` as 8. Here a
plain word is a whole number, true, false, null or a text; what looks like a float is
refused, because an amount that was written exactly must arrive exactly.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Any

import yaml

LARGEST_FILE = 1_000_000  # bytes
TAG = "tag:yaml.org,2002:"
FLOAT = f"{TAG}float"


class YamlError(ValueError):
    """This is no plain YAML."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)


class Loader(yaml.SafeLoader):
    """Builds mappings, lists, texts, whole numbers, true, false and null."""

    yaml_implicit_resolvers: dict[Any, Any] = {}
    yaml_constructors: dict[Any, Any] = {}

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.events.AliasEvent):
            raise YamlError(at("An alias is not read", self.peek_event()))
        return super().compose_node(parent, index)

    def mapping(self, node: yaml.MappingNode) -> dict[str, Any]:
        """Return a mapping whose keys are texts, each there once."""
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key: Hashable = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise YamlError(at("A key is a text", key_node))
            if key in found:
                raise YamlError(at(f"{key!r} appears twice", key_node))
            found[key] = self.construct_object(value_node, deep=True)
        return found

    def sequence(self, node: yaml.SequenceNode) -> list[Any]:
        return [self.construct_object(each, deep=True) for each in node.value]

    def whole(self, node: yaml.ScalarNode) -> int:
        return int(node.value)

    def flag(self, node: yaml.ScalarNode) -> bool:
        return bool(node.value == "true")

    def nothing(self, node: yaml.ScalarNode) -> None:
        return None

    def refuse_float(self, node: yaml.ScalarNode) -> None:
        text = f"{node.value} needs quotes: a number with a point would not be exact"
        raise YamlError(at(text, node))

    def refuse(self, node: yaml.Node) -> None:
        raise YamlError(at(f"{node.tag} is not read", node))


PLAIN = (
    ("null", r"null|~|", ["n", "~", ""]),
    ("bool", r"true|false", ["t", "f"]),
    ("int", r"0|-?[1-9][0-9]{0,18}", [*"-0123456789"]),
    # Whatever a person could have meant as a number, and no whole one.
    ("float", r"[-+]?(\.[0-9]|[0-9])[0-9._]*([eE][-+]?[0-9]+)?", [*"-+.0123456789"]),
)
for kind, pattern, first in PLAIN:
    Loader.add_implicit_resolver(
        f"{TAG}{kind}", re.compile(f"(?:{pattern})$", re.ASCII), first
    )
for kind, construct in (
    ("map", Loader.mapping),
    ("seq", Loader.sequence),
    ("str", Loader.construct_scalar),
    ("int", Loader.whole),
    ("bool", Loader.flag),
    ("null", Loader.nothing),
    ("float", Loader.refuse_float),
):
    Loader.add_constructor(f"{TAG}{kind}", construct)
Loader.add_constructor(None, Loader.refuse)


def at(text: str, where: Any) -> str:
    """Return `text` with the line and column that it is about."""
    mark = where.start_mark
    return f"Line {mark.line + 1}, column {mark.column + 1}: {text}"


def load(text: str) -> Any:
    """Return the one document in `text`; raises YamlError."""
    if len(text.encode(errors="surrogatepass")) > LARGEST_FILE:
        raise YamlError("The file is larger than 1 MB")
    try:
        return yaml.load(text, Loader)
    except yaml.YAMLError as error:
        raise YamlError(f"This is no plain YAML: {error}") from error
    except RecursionError as error:
        raise YamlError("The YAML is nested too deeply") from error


class Inline(dict[str, Any]):
    """A small mapping that is written on one line."""


class Dumper(yaml.SafeDumper):
    """Writes what Loader reads back as it was; also readers of YAML 1.1 agree."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


for kind, pattern, first in PLAIN:  # besides what YAML 1.1 takes for something else
    Dumper.add_implicit_resolver(
        f"{TAG}{kind}", re.compile(f"(?:{pattern})$", re.ASCII), first
    )
Dumper.add_representer(
    Inline,
    lambda dumper, data: dumper.represent_mapping(f"{TAG}map", data, flow_style=True),
)


def dump(data: Any) -> str:
    """Return `data` as YAML, in the order it is in."""
    return yaml.dump(data, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=88)
