"""What docs/balances.md shows is what the product says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from accounts.api.balances import STATUSES, BalanceSerializer
from accounts.instant.answer import answer, sheet_of
from accounts.instant.entry import Entry, micros
from accounts.models import Source
from accounts.moments import moment
from accounts.services.instant import cache

PAGE = (Path(__file__).parents[2] / "docs" / "balances.md").read_text()
SAID = json.loads(re.search(r"```json\n(.*?)```", PAGE, re.S)[1])
[TABLE] = re.findall(r"```text\n(.*?)```", PAGE, re.S)
ROW = re.compile(r"(\w+ ?\w*?) +(\d+) +(?:(\d+) +)?(yes +)?(yes|no) +(\w+)")
AMOUNTS = [int(SAID[name]["minor"]) for name in ("total", "available", "held")]


def kept(source: str, limit: int | None = 900) -> Entry:
    as_of, fetched = (micros(moment(SAID[n])) for n in ("as_of", "fetched_at"))
    about = (as_of, source, "w", "c", SAID["asset"])
    return Entry(*about, *AMOUNTS, fetched, limit, fetched, "")


def test_answer_of_the_page_is_the_one_that_is_given():
    entry = kept("live")
    later = entry.as_of + SAID["age_seconds"] * 1_000_000

    told = answer(sheet_of(SAID["account"], entry), later)

    assert json.loads(told.body) == SAID


@pytest.mark.parametrize("line", TABLE.splitlines()[1:])
def test_staleness_is_what_the_page_says(line):
    what, age, max_age, hint, stale, source = ROW.fullmatch(line).groups()
    entry = {
        "read live": kept("live"),
        "typed in": kept("manual", None),
        "snapshot": kept("snapshot"),
    }[what.strip()]

    told = answer(
        sheet_of("a", entry),
        entry.as_of + int(age) * 1_000_000,
        max_age=max_age and int(max_age),
        hinted_at=entry.as_of + 1 if hint else 0,
    )

    said = json.loads(told.body)
    assert (said["stale"], said["source"]) == (stale == "yes", source)


@pytest.mark.parametrize(
    "word", [*BalanceSerializer().fields, *STATUSES, *Source.values]
)
def test_every_word_of_an_answer_is_explained(word):
    explained = {"account", "asset"}  # whose it is, and of what
    assert word in explained or re.search(rf"^\|[^|]*`{word}`", PAGE, re.M)


def test_leases_are_as_long_as_the_page_says():
    assert f"for {cache.ASKED} s if no worker begins and {cache.RUNNING} s" in PAGE
    assert cache.KEPT == 3600
