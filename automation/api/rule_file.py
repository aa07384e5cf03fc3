"""The JSON Schema of a file of rules, made from what documents the API."""

from __future__ import annotations

from typing import Any

from drf_spectacular.generators import SchemaGenerator

from automation.services.references import Accounts, Rules
from automation.services.rules_as_code import FORMAT, MOST_RULES

DIALECT = "https://json-schema.org/draft/2020-12/schema"
ROOT = "RuleWrite"
COMPONENTS = "#/components/schemas/"
ID = {"type": "string", "format": "uuid"}
# What editors complete and check; everything else is checked when it is imported.
DROPPED = frozenset({"readOnly", "writeOnly", "nullable"})


def file_schema() -> dict[str, Any]:
    """Return the schema of what `rules export` writes and `rules import` reads."""
    schemas = SchemaGenerator().get_schema(request=None, public=True)["components"]
    defs: dict[str, Any] = {}
    gather(ROOT, schemas["schemas"], defs)
    rule = defs.pop(ROOT)
    rule["properties"] = {"id": ID} | rule["properties"]
    rule["properties"].pop("workspace", None)
    defs |= {
        "Rule": rule,
        "AccountReference": reference(Accounts.FIELDS),
        "RuleReference": reference(Rules.FIELDS),
    }
    name_references(defs)
    bound_money(defs["Money"])
    return {
        "$schema": DIALECT,
        "title": "Rules of balsync",
        "type": "object",
        "additionalProperties": False,
        "required": ["format", "rules"],
        "properties": {
            "format": {"const": FORMAT},
            "rules": {
                "type": "array",
                "maxItems": MOST_RULES,
                "items": {"$ref": "#/$defs/Rule"},
            },
        },
        "$defs": defs,
    }


def gather(name: str, known: dict[str, Any], defs: dict[str, Any]) -> None:
    """Put component `name`, and all that it refers to, into `defs`."""
    if name in defs:
        return
    defs[name] = {}
    defs[name] = plain(known[name], known, defs)


def plain(value: Any, known: dict[str, Any], defs: dict[str, Any]) -> Any:
    """Return a piece of OpenAPI 3.0 as JSON Schema says it."""
    if isinstance(value, list):
        return [plain(each, known, defs) for each in value]
    if not isinstance(value, dict):
        return value
    if isinstance(ref := value.get("$ref"), str):
        gather(ref.removeprefix(COMPONENTS), known, defs)
        return {"$ref": ref.replace(COMPONENTS, "#/$defs/")}
    told = {k: plain(v, known, defs) for k, v in value.items() if k not in DROPPED}
    if "properties" in told:
        told.setdefault("additionalProperties", False)
    if value.get("nullable"):
        return {"anyOf": [told, {"type": "null"}]}
    return told


def reference(fields: tuple[str, ...]) -> dict[str, Any]:
    """Return an object that names something by at least one of `fields`."""
    return {
        "type": "object",
        "additionalProperties": False,
        "minProperties": 1,
        "properties": {name: ID if name == "id" else TEXT for name in fields},
    }


TEXT = {"type": "string", "minLength": 1}


def name_references(value: Any) -> None:
    """Let every account and rule be named by an object besides by its id."""
    if isinstance(value, list):
        for each in value:
            name_references(each)
    if isinstance(value, dict):
        if isinstance(value.get("properties"), dict):
            value["properties"] |= named_in(value["properties"])
        for each in value.values():
            name_references(each)


def named_in(properties: dict[str, Any]) -> dict[str, Any]:
    """Return those of `properties` that name something, as a file may write them."""
    many = {"type": "array", "items": by_name("Rule")}
    written = {
        "account": by_name("Account"),
        "rule": by_name("Rule"),
        "depends_on": {"anyOf": [many, {"type": "null"}]},
    }
    return {name: told for name, told in written.items() if name in properties}


def by_name(kind: str) -> dict[str, Any]:
    return {"anyOf": [{"$ref": f"#/$defs/{kind}Reference"}, ID, {"type": "null"}]}


def bound_money(money: dict[str, Any]) -> None:
    """Let money need its asset and one of its spellings."""
    money["anyOf"] = [{"required": ["minor"]}, {"required": ["amount"]}]
