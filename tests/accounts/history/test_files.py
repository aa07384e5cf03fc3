"""History as a file: what is written is read back, and every bad line is named."""

from __future__ import annotations

import io
import json
import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.history.files import (
    HEADER,
    LONGEST,
    Line,
    Mistake,
    read_csv,
    read_json,
    write_csv,
    write_json,
)
from providers.money import ASSET, LARGEST, Asset

SOURCES = frozenset({"live", "manual", "import"})
GBP = Asset("GBP", 2)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
FORMS = pytest.mark.parametrize(
    ("write", "read"), [(write_csv, read_csv), (write_json, read_json)]
)
ANY_AMOUNT = st.integers(-LARGEST, LARGEST)
LINES = st.builds(
    Line,
    st.datetimes(timezones=st.just(UTC)),
    ANY_AMOUNT,
    ANY_AMOUNT,
    st.integers(0, LARGEST),
    st.sampled_from(sorted(SOURCES)),
)
ASSETS = st.from_regex(ASSET, fullmatch=True).map(Asset.parse)


def read_all(read, text, asset=GBP):
    return [found for _, found in read(io.StringIO(text, newline=""), asset, SOURCES)]


@FORMS
@given(rows=st.lists(LINES, max_size=5), asset=ASSETS)
def test_what_is_written_is_read_back(write, read, rows, asset):
    assert read_all(read, "".join(write(rows, asset)), asset) == rows


@given(st.lists(LINES, max_size=5), ASSETS)
def test_json_is_json_with_a_line_for_each_snapshot(rows, asset):
    text = "".join(write_json(rows, asset))

    assert [row["total"]["minor"] for row in json.loads(text)] == [
        str(row.total) for row in rows
    ]
    assert len(text.splitlines()) == len(rows) + 2


@given(st.lists(LINES, min_size=1, max_size=3), ASSETS)
def test_no_cell_begins_a_formula_and_no_line_is_too_long(rows, asset):
    for line in list(write_csv(rows, asset))[1:]:
        assert len(line) < LONGEST
        for cell in line.rstrip("\r\n").split(","):
            assert re.fullmatch(r"[A-Za-z0-9].*|-[0-9]+(\.[0-9]+)?", cell)
    assert all(len(line) < LONGEST for line in write_json(rows, asset))


GOOD = "2026-03-01T12:00:00+00:00,GBP/2,500,5.00,400,4.00,100,1.00,live"


@pytest.mark.parametrize(
    ("cell", "instead"),
    [
        ("2026-03-01T12:00:00+00:00", "2026-03-01"),
        ("2026-03-01T12:00:00+00:00", "2026-03-01T12:00:00"),  # in which zone?
        ("2026-03-01T12:00:00+00:00", "1772366400"),
        ("GBP/2", "EUR/2"),
        ("GBP/2", "GBP/3"),
        ("GBP/2", "=1+1"),
        ("500", "501"),  # the two spellings differ
        ("500", "5e2"),
        ("500", "+500"),
        ("500", ""),
        ("5.00", "5.001"),
        ("5.00", ""),
        ("5.00", "NaN"),
        ("500,5.00", "999,9.99,1"),
        ("100,1.00", "-100,-1.00"),
        ("live", "LIVE"),
        ("live", "guess"),
        ("live", ""),
        ("live", "live,"),
        ("live", '"live'),
        ("live", 'li"ve'),
        (GOOD, ""),
    ],
)
def test_bad_line_is_named_and_the_others_are_read(cell, instead):
    bad = GOOD.replace(cell, instead, 1)
    good, mistake, also = read_all(
        read_csv, f"{HEADER}\r\n{GOOD}\r\n{bad}\r\n{GOOD}\r\n"
    )

    assert good == also == Line(NOON, 500, 400, 100, "live")
    assert isinstance(mistake, Mistake)
    assert mistake.line == 3


def test_zone_and_zero_of_a_moment_are_written_in_any_way():
    for spelled in ("2026-03-01T12:00:00Z", "2026-03-01T13:00:00.000+01:00"):
        line = GOOD.replace("2026-03-01T12:00:00+00:00", spelled)
        assert read_all(read_csv, f"{HEADER}\n{line}\n")[0].as_of == NOON


@pytest.mark.parametrize("head", ["", "a,b\r\n", GOOD + "\r\n", HEADER + ",more\r\n"])
def test_file_with_another_heading_is_no_history(head):
    [mistake] = read_all(read_csv, head + GOOD + "\r\n")

    assert mistake.line == 1


def test_line_without_end_is_never_held_in_memory():
    class Endless(io.StringIO):
        asked = 0

        def readline(self, size=-1):
            assert 0 < size <= LONGEST
            self.asked += 1
            return HEADER + "\n" if self.asked == 1 else "9" * size

    found = read_csv(Endless(), GBP, SOURCES)

    assert isinstance(next(found)[1], Mistake)


def document(*lines: str) -> str:
    return "".join(f"{line}\n" for line in lines)


ROW = "".join(write_json([Line(NOON, 500, 400, 100, "live")], GBP)).splitlines()[1]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 1),
        ("{}", 1),
        (document("[", ROW + ","), 3),
        (document("[", ROW), 3),
        (document("[", ROW + ",", "]"), 3),
        (document("[", ROW, ROW, "]"), 3),
        (document("[", ROW, "]", ""), 4),
        (document("[", "[]", "]"), 2),
        (document("[", "7", "]"), 2),
        (document("[", "[" * 1_900, "]"), 2),
        (document("[", ROW.replace("500", "501", 1), "]"), 2),
        (document("[", ROW.replace('"500"', "500"), "]"), 2),
        (document("[", ROW.replace('"500"', "null"), "]"), 2),
        (document("[", ROW.replace('"live"', "[]"), "]"), 2),
        (document("[", ROW.replace('"live"', '"live","source":"live"'), "]"), 2),
        (document("[", ROW.replace('"live"', '"live","note":"x"'), "]"), 2),
        (document("[", ROW.replace('"2026', '"x2026'), "]"), 2),
        (document("[", re.sub(r'"2026[^"]*"', "NaN", ROW), "]"), 2),
    ],
)
def test_bad_line_of_json_is_named(text, line):
    mistakes = [m for m in read_all(read_json, text) if isinstance(m, Mistake)]

    assert [mistake.line for mistake in mistakes] == [line]
