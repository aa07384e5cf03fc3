"""What is kept of a balance, and what is said of it as time goes by."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.instant.answer import answer, sheet, sheet_of
from accounts.instant.entry import (
    DISTRUSTED,
    MARKED,
    NEVER,
    SEPARATOR,
    Entry,
    mark,
    pack,
    unpack,
)
from providers.money import LARGEST

SECOND = 1_000_000
READ = 1_800_000_000 * SECOND
GOOD = Entry(READ, "live", "w", "c", "GBP/2", 1234, 1200, 34, READ, 900, READ, "")
amounts = st.none() | st.integers(-LARGEST, LARGEST)
texts = st.text(st.characters(exclude_characters=SEPARATOR, exclude_categories=["Cs"]))


@settings(max_examples=30)
@given(
    st.integers(0, READ), amounts, st.none() | st.integers(0, 10**6), st.text(), texts
)
def test_entry_is_what_was_kept(as_of, amount, limit, error, source):
    entry = Entry(
        *(as_of, source if source != MARKED else "live", "w", "c", "GBP/2"),
        *(amount, amount, amount, as_of, limit, NEVER, error),
    )

    found = unpack(pack(entry))

    assert found == entry._replace(error=error.replace(SEPARATOR, " "))


def test_mark_says_nothing_but_that_the_row_knows():
    assert unpack(mark("nonce")) is None
    assert sheet("a", mark("nonce", READ)) is None
    with pytest.raises(ValueError):
        unpack("what another version wrote")


@pytest.mark.parametrize(
    ("entry", "asked", "stale", "source"),
    [
        ({}, {}, False, "live"),
        ({}, {"later": 901}, True, "cache"),
        ({"source": "stream"}, {"later": 901}, True, "cache"),
        ({}, {"later": 60, "max_age": 59}, True, "cache"),
        ({}, {"later": 901, "max_age": 1000}, False, "live"),
        ({}, {"hinted_at": READ + 1}, True, "cache"),
        ({}, {"hinted_at": READ - 1}, False, "live"),
        # As old as the last count, and nobody can hint at that.
        ({"source": "manual", "limit": None}, {"later": 10**7}, False, "manual"),
        ({"source": "manual", "limit": None}, {"hinted_at": READ + 1}, False, "manual"),
        ({"limit": DISTRUSTED}, {"max_age": 1000}, True, "cache"),
        ({"source": "snapshot"}, {}, True, "snapshot"),
        ({"source": "", "total": None, "as_of": 0}, {}, True, None),
    ],
)
def test_every_rung_is_told_with_whether_it_is_stale(entry, asked, stale, source):
    later = asked.pop("later", 0)
    kept = sheet_of("a", GOOD._replace(**entry))

    told = answer(kept, READ + later * SECOND, **asked)

    said = json.loads(told.body)
    assert (said["stale"], said["source"]) == (stale, source)
    assert told.wanting is stale
    assert said["status"] == ("ok" if told.known else "unknown")
    assert said["age_seconds"] == (later if told.known else None)


def test_amounts_are_exact_and_unknown_ones_null():
    large = GOOD._replace(asset="WEI/18", total=-LARGEST, held=None)
    said = json.loads(answer(sheet_of("a", large), READ).body)

    assert said["total"]["minor"] == str(-LARGEST)
    assert said["held"] is None


@pytest.mark.parametrize(
    ("ask_from", "may"), [(READ, True), (READ + 1, False), (NEVER, False)]
)
def test_nobody_is_asked_where_that_cannot_help(ask_from, may):
    kept = sheet_of("a", GOOD._replace(ask_from=ask_from))

    assert answer(kept, READ).may_ask is may


def test_tag_changes_with_the_news_and_not_with_the_clock():
    def tag(at=READ, **change):
        return answer(sheet_of("a", GOOD._replace(**change)), at).tag

    assert tag() == tag(READ + 5 * SECOND)
    others = {
        tag(READ + 901 * SECOND),
        tag(total=1),
        tag(error="x"),
        tag(as_of=READ - 1),
    }
    assert len(others | {tag()}) == 5
