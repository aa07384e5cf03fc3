"""The README's table and the page about providers say what the folders can do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import providers
from providers.base import (
    ListsMovements,
    MovesMoney,
    SendsWebhooks,
    TakesTypedBalances,
)
from providers.streaming import Streams
from providers.trading import ReportsTrading

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PAGE = (ROOT / "docs" / "providers.md").read_text()
PORTS = [ListsMovements, MovesMoney, ReportsTrading, Streams, SendsWebhooks]
INSTITUTIONS = [
    slug
    for slug in providers.slugs()
    if not issubclass(providers.load(slug), TakesTypedBalances)
]
ROW = re.compile(r"^\| \[([^]]+)\]\(docs/providers\.md#([a-z-]+)\) \|(.*)\|$", re.M)
TABLE = {slug: (name, cells.split("|")) for name, slug, cells in ROW.findall(README)}
SECTIONS = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S))


@pytest.mark.parametrize("slug", INSTITUTIONS)
def test_table_says_what_a_provider_can_do(slug):
    adapter = providers.load(slug)
    name, (_, *cells, how) = TABLE[slug]

    assert name == adapter.name
    able = [cell.strip() == "yes" for cell in cells]
    assert able == [issubclass(adapter, port) for port in PORTS]
    assert how.strip()


def test_table_names_nobody_else():
    assert sorted(TABLE) == sorted(INSTITUTIONS)


@pytest.mark.parametrize("slug", INSTITUTIONS)
def test_page_says_how_to_connect_and_what_is_not_verified(slug):
    adapter = providers.load(slug)
    section = SECTIONS[adapter.name]

    assert f"Slug `{slug}`" in section
    assert "**To connect**" in section or "**To connect, " in section
    assert "**Not supported**" in section
    assert "**Not verified**" in section
    for field in adapter.fields:
        if field.required:
            assert f"`{field.name}`" in section
