"""What docs/portfolio.md shows is what the product says."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

from accounts.history.course import LENGTHS
from accounts.portfolio.over_time import COLUMNS
from accounts.portfolio.rates import Rate, Table
from accounts.portfolio.total import Holding, Portfolio, Status, Why
from providers.money import Asset

PAGE = (Path(__file__).parents[2] / "docs" / "portfolio.md").read_text()
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_worked_total_is_what_the_portfolio_says():
    rates, sums = (
        [line.split() for line in block.splitlines()]
        for block in re.findall(r"```text\n(.*?)\n```", PAGE, re.S)
    )
    table = Table(
        Rate(*pair.split("/"), Fraction(value), NOON, "typed") for pair, value in rates
    )
    told = [(Asset.parse(row[0]), row[1]) for row in sums if len(row) == 2]
    holdings = [
        Holding(None, "somewhere", asset, asset.minor(amount))
        for asset, amount in told[:-1]
    ]
    base, total = told[-1]

    found = Portfolio(holdings, base, table, NOON)

    assert len(holdings) == 3
    assert base.major(found.total) == total
    assert found.status == Status.OK


def test_every_word_of_an_answer_is_explained():
    for word in (*Status, *Why):
        assert f"\n| `{word}` |" in PAGE, word
    for name in LENGTHS:
        assert f"`{name}`" in PAGE
    assert f"{COLUMNS} columns" in PAGE
