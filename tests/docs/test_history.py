"""What docs/history.md shows is what the product says."""

from __future__ import annotations

import io
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from accounts.api.history import TrendSerializer, figures
from accounts.history.files import Mistake, read_csv, write_csv
from accounts.history.trends import trend
from accounts.models import Source
from accounts.services import history
from providers.money import Asset
from tests.fixtures_api import snapshot, world

__all__ = ["world"]
PAGE = (Path(__file__).parents[2] / "docs" / "history.md").read_text()
START = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
GBP = Asset("GBP", 2)


def amounts(after: str) -> list[int]:
    """Return the amounts in the first block of text after some words."""
    block = PAGE.split(after, 1)[1].split("```text\n", 1)[1].split("```", 1)[0]
    return [GBP.minor(word) for word in block.split()]


@pytest.mark.django_db
def test_thresholds_keep_what_the_page_says(world):
    for hour, amount in enumerate(amounts("one hour after the other")):
        snapshot(world.mine.main, amount, START + hour * HOUR)

    kept = history.period(world.mine.main, least=60).values_list("total", flat=True)

    assert list(kept)[::-1] == amounts("shows with `min_change=60`")


def test_file_is_one_that_is_written_and_read():
    [block] = re.findall(r"```csv\n(.*?)```", PAGE, re.S)
    found = [
        row for _, row in read_csv(io.StringIO(block), GBP, frozenset(Source.values))
    ]

    assert found
    assert not [row for row in found if isinstance(row, Mistake)]
    assert "".join(write_csv(found, GBP)).replace("\r\n", "\n") == block


def test_trend_is_what_the_page_says():
    held = amounts("each for one hour")
    [told] = re.findall(r"```json\n(\{\"direction.*?)```", PAGE, re.S)
    points = [(START + n * HOUR, amount) for n, amount in enumerate(held)]

    found = figures(trend(points, START, START + len(held) * HOUR), str(GBP))

    for name, said in json.loads(told).items():
        value = found[name]
        assert (value["amount"] if isinstance(value, dict) else value) == said, name


def test_every_field_of_a_trend_is_explained():
    for name in set(TrendSerializer().fields) - {"account", "asset", "since", "until"}:
        assert re.search(rf"^\|[^|]*`{name}`", PAGE, re.M), name
