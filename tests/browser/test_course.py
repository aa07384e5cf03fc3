"""The chart of a balance in a real browser: quiet, fitting, and it tells amounts."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils.timezone import now

from accounts.models import Account, Balance, BalanceSnapshot
from tests.admin.pages import page

from .chromium import find
from .test_pages import LOOKS, browser, expect_quiet_in, home, running, signed_in

__all__ = ["browser", "home", "running", "signed_in"]
pytestmark = [
    pytest.mark.skipif(find() is None, reason="no Chromium is installed"),
    pytest.mark.django_db(transaction=True),
]
POINT = """(() => { const box = document.querySelector('[data-course] svg').getBoundingClientRect();
document.querySelector('[data-course] svg').dispatchEvent(new PointerEvent('pointermove',
  {clientX: box.left + box.width * %s, clientY: box.top + 5, bubbles: true})); })()"""
TOLD = "document.querySelector('[data-course] output').innerText"


@pytest.fixture
def past(home) -> Account:
    """What one account held over 40 days, not confirmed for two days now."""
    moment, main = now(), home.unread
    BalanceSnapshot.objects.bulk_create(
        BalanceSnapshot(
            account=main,
            total=2_500_00 - 70_00 * (n % 31) - 150_00 * (n % 7 == 0),
            available=0,
            as_of=moment - timedelta(hours=6 * n),
        )
        for n in range(9, 160)
    )
    Balance.objects.create(
        account=main,
        total=1_800_00,
        available=0,
        as_of=moment - timedelta(hours=54),
        fetched_at=moment - timedelta(days=2),
    )
    return main


@pytest.mark.parametrize("look", LOOKS)
def test_chart_is_quiet_and_fits(look, signed_in, live_server, past):
    for chosen in ("24h", "30d", "all"):
        url = f"{live_server.url}{page(past)}?range={chosen}"
        expect_quiet_in(signed_in, look, url, live_server.url)


def test_chart_says_what_was_held_where_one_points(signed_in, live_server, past):
    signed_in.visit(f"{live_server.url}{page(past)}?range=30d")

    signed_in.evaluate(POINT % "0.5")
    middle = signed_in.evaluate(TOLD)
    signed_in.evaluate(POINT % "0.1")

    assert "£" in middle
    assert "since 20" in middle
    assert signed_in.evaluate(TOLD) != middle
