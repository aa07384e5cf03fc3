"""The report of a sync as a file: one line for each correction and each finding."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would calculate
FORMS = {"csv": "text/csv", "json": "application/json"}


@dataclass(frozen=True, slots=True)
class Line:
    """What was changed, or doubted, and why; figures are texts in full."""

    what: str  # correction or finding
    kind: str  # account, order, trade, position
    id: str  # ours
    subject: str  # its name at the provider
    asset: str  # of an account: the unit of its figures is the smallest of this
    field: str
    old: str
    new: str
    difference: str
    severity: str
    reason: str
    at: str


COLUMNS = tuple(column.name for column in fields(Line))


class Echo:
    """A file that hands each line straight on."""

    def write(self, line: str) -> str:
        return line


def write(form: str, head: Mapping[str, Any], lines: Iterable[Line]) -> Iterator[str]:
    """Yield the report in `form`; raises KeyError for one that is not in FORMS."""
    return {"csv": write_csv, "json": write_json}[form](head, lines)


def write_csv(head: Mapping[str, Any], lines: Iterable[Line]) -> Iterator[str]:
    """Yield the lines as CSV (RFC 4180); what came from outside begins no formula."""
    writer = csv.writer(Echo(), lineterminator="\r\n")
    yield writer.writerow(COLUMNS)
    for line in lines:
        yield writer.writerow([harmless(str(v)) for v in asdict(line).values()])


def write_json(head: Mapping[str, Any], lines: Iterable[Line]) -> Iterator[str]:
    """Yield one JSON object: the sync, and `lines`, each on a line of its own."""
    told = json.dumps(dict(head), separators=(",", ":"))
    yield told[:-1] + ("," if head else "") + '"lines":['
    between = "\n"
    for line in lines:
        yield between + json.dumps(asdict(line), separators=(",", ":"))
        between = ",\n"
    yield "\n]}\n"


def harmless(text: str) -> str:
    """Return a cell that no spreadsheet calculates; a plain number stays one."""
    if not text.startswith(FORMULA):
        return text
    digits = text[1:].replace(".", "", 1)
    is_number = text[0] == "-" and digits.isascii() and digits.isdigit()
    return text if is_number else f"'{text}"
