"""History as a file: one line for each snapshot, written and read back exactly.

Amounts are texts in full, moments RFC 3339 in UTC, newest first. No cell can begin a
formula in a spreadsheet: an asset begins with a letter or a digit, a source is a word,
and the only cells that begin with a sign are whole or decimal numbers.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, TextIO

from accounts.moments import moment
from accounts.moneyjson import money, parse_money
from accounts.strictjson import strict_json
from providers.money import Asset, MoneyError

AMOUNTS = ("total", "available", "held")
FIELDS = ("as_of", *AMOUNTS, "source")
COLUMNS = (
    "as_of",
    "asset",
    *(name for amount in AMOUNTS for name in (f"{amount}_minor", amount)),
    "source",
)
HEADER = ",".join(COLUMNS)
LONGEST = 2_000  # characters of one line; nine cells of the largest amounts need 700


class Line(NamedTuple):
    """One snapshot; amounts in minor units."""

    as_of: datetime
    total: int
    available: int
    held: int
    source: str


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong with one line of a file, counted from 1."""

    line: int
    text: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.text}"


class BadLine(ValueError):
    """This line is no snapshot."""


class Echo:
    """A file that hands each line straight on."""

    def write(self, line: str) -> str:
        return line


def write_csv(rows: Iterable[Line], asset: Asset) -> Iterator[str]:
    """Yield the CSV of `rows` (RFC 4180), one line at a time."""
    writer = csv.writer(Echo(), lineterminator="\r\n")
    yield writer.writerow(COLUMNS)
    for row in rows:
        amounts = [(str(n), asset.major(n)) for n in row[1:4]]
        cells = [cell for pair in amounts for cell in pair]
        yield writer.writerow([row.as_of.isoformat(), asset, *cells, row.source])


def write_json(rows: Iterable[Line], asset: Asset) -> Iterator[str]:
    """Yield `rows` as one JSON array, each of them on a line of its own."""
    between = "[\n"
    for row in rows:
        told = {
            name: money(n, asset) for name, n in zip(AMOUNTS, row[1:4], strict=True)
        }
        whole = {"as_of": row.as_of.isoformat(), **told, "source": row.source}
        yield between + json.dumps(whole, separators=(",", ":"))
        between = ",\n"
    yield "[\n]\n" if between == "[\n" else "\n]\n"


Parsed = Iterator[tuple[int, Line | Mistake]]


def read_csv(file: TextIO, asset: Asset, sources: frozenset[str]) -> Parsed:
    """Yield the number of each line, and the snapshot on it or what is wrong there."""
    numbered = enumerate(pieces(file), 1)
    if next(numbered, (1, ""))[1].rstrip("\r\n") != HEADER:
        yield 1, Mistake(1, f"The first line must be {HEADER}")
        return
    for number, text in numbered:
        yield number, attempt(number, from_cells, text.rstrip("\r\n"), asset, sources)


def read_json(file: TextIO, asset: Asset, sources: frozenset[str]) -> Parsed:
    """Yield the number of each line, and the snapshot on it or what is wrong there."""
    numbered = enumerate(pieces(file), 1)
    if next(numbered, (1, ""))[1].rstrip("\r\n") != "[":
        yield 1, Mistake(1, "The first line must be [")
        return
    number, before = 1, "start"
    for number, piece in numbered:
        text = piece.rstrip("\r\n")
        if text == "]" and before != "end":
            if before == "comma":
                yield number, Mistake(number, "No comma stands before the ]")
            before = "end"
            continue
        if before in ("last", "end"):
            yield number, Mistake(number, "Only ] follows the line without a comma")
            return
        before = "comma" if text.endswith(",") else "last"
        yield (
            number,
            attempt(number, from_object, text.removesuffix(","), asset, sources),
        )
    if before != "end":
        yield number + 1, Mistake(number + 1, "The file ends before its ]")


def pieces(file: TextIO) -> Iterator[str]:
    """Yield the lines of `file`; one without an end never fills the memory."""
    return iter(lambda: file.readline(LONGEST), "")


def attempt(number: int, read: Callable[..., Line], *told: Any) -> Line | Mistake:
    """Return what `read` makes of a line, or the mistake that it names."""
    try:
        return read(*told)
    except BadLine as error:
        return Mistake(number, str(error))


def from_cells(text: str, asset: Asset, sources: frozenset[str]) -> Line:
    """Return the snapshot in a line of CSV; raises BadLine."""
    try:
        cells = next(csv.reader([text], strict=True), [])
    except csv.Error as error:
        raise BadLine(f"This is not CSV: {error}") from error
    if len(cells) != len(COLUMNS):
        raise BadLine(f"There are {len(cells)} cells instead of {len(COLUMNS)}")
    told = dict(zip(COLUMNS, cells, strict=True))
    amounts = {
        name: {
            "asset": told["asset"],
            "minor": told[f"{name}_minor"],
            "amount": told[name],
        }
        for name in AMOUNTS
    }
    return line_of({**told, **amounts}, asset, sources)


def from_object(text: str, asset: Asset, sources: frozenset[str]) -> Line:
    """Return the snapshot in a line of JSON; raises BadLine."""
    try:
        told = strict_json(text)
    except (ValueError, RecursionError) as error:
        raise BadLine(f"This is not a JSON object: {error}") from error
    if not isinstance(told, dict) or told.keys() != set(FIELDS):
        raise BadLine(f"A snapshot has the fields {', '.join(FIELDS)}")
    return line_of(told, asset, sources)


def line_of(told: Mapping[str, Any], asset: Asset, sources: frozenset[str]) -> Line:
    """Return the snapshot that `told` describes; raises BadLine."""
    as_of = moment(told["as_of"]) if isinstance(told["as_of"], str) else None
    if as_of is None:
        raise BadLine("as_of is no RFC 3339 time, such as 2026-01-31T09:00:00Z")
    if not isinstance(told["source"], str) or told["source"] not in sources:
        raise BadLine(f"source is none of {', '.join(sorted(sources))}")
    total, available, held = (amount(told, name, asset) for name in AMOUNTS)
    if held < 0:
        raise BadLine("held is below 0")
    return Line(as_of, total, available, held, told["source"])


def amount(told: Mapping[str, Any], name: str, asset: Asset) -> int:
    """Return an amount that is written twice, alike; raises BadLine."""
    value = told[name]
    if not isinstance(value, dict) or len(value) < 3 or None in value.values():
        raise BadLine(f"{name} is money with asset, minor and amount")
    try:
        return parse_money(value, asset=asset)
    except MoneyError as error:
        raise BadLine(f"{name}: {error}") from error


@dataclass(frozen=True, slots=True)
class Form:
    """How history is written down: its media type, and what writes and reads it."""

    media: str
    write: Callable[[Iterable[Line], Asset], Iterator[str]]
    read: Callable[[TextIO, Asset, frozenset[str]], Parsed]


FORMS = {
    "csv": Form("text/csv", write_csv, read_csv),
    "json": Form("application/json", write_json, read_json),
}
