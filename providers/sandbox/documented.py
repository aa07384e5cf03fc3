"""Compares an answer with the documented one, key by key and with types."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

# By OpenAPI 3.0: a number may be written without a fraction; true is no number.
TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float, Decimal),
    "boolean": (bool,),
}
KINDS: Final = {python: name for name, all_ in TYPES.items() for python in all_}


def unlike(told: Any, sample: Any, where: str = "answer") -> Iterator[str]:
    """Yield where `told` has other keys, or other types, than a documented sample.

    Of a list of samples the first one counts; what is null there is null here.
    """
    if _kind(told) != _kind(sample):
        yield f"{where} is {_kind(told)}, documented {_kind(sample)}"
    elif isinstance(sample, dict):
        for key in sorted(told.keys() ^ sample.keys()):
            yield f"{where}.{key} is {'too much' if key in told else 'missing'}"
        for key in told.keys() & sample.keys():
            yield from unlike(told[key], sample[key], f"{where}.{key}")
    elif isinstance(sample, list):
        if told and not sample:
            yield f"{where} is not empty"
        for number, item in enumerate(told if sample else []):
            yield from unlike(item, sample[0], f"{where}[{number}]")


def breaks(
    told: Any, schema: Mapping[str, Any], where: str = "answer"
) -> Iterator[str]:
    """Yield where `told` breaks a schema of OpenAPI 3.0, or has keys that it has not."""
    if told is None and schema.get("nullable"):
        return
    wanted = schema.get("type")
    if wanted is None:
        return  # documented without a type: it may hold anything
    if type(told) not in TYPES[wanted]:
        yield f"{where} is {_kind(told)}, documented {wanted}"
    elif wanted == "object":
        yield from _breaks_object(told, schema, where)
    elif wanted == "array":
        for number, item in enumerate(told):
            yield from breaks(item, schema["items"], f"{where}[{number}]")
    elif told not in schema.get("enum", [told]):
        yield f"{where} is {told!r}, documented {schema['enum']}"


def _breaks_object(
    told: Mapping[str, Any], schema: Mapping[str, Any], where: str
) -> Iterator[str]:
    known = schema.get("properties")
    if known is None:
        return
    for key in sorted(set(schema.get("required", ())) - told.keys()):
        yield f"{where}.{key} is missing"
    for key in sorted(told.keys() - known.keys()):
        yield f"{where}.{key} is too much"
    for key in told.keys() & known.keys():
        yield from breaks(told[key], known[key], f"{where}.{key}")


def _kind(value: Any) -> str:
    kind = KINDS.get(type(value), "null")
    return "number" if kind == "integer" else kind
