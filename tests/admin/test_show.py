from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils.timezone import now
from hypothesis import given
from hypothesis import strategies as st

from accounts.admin import show
from accounts.models import Account, Balance, Connection, Source
from providers.money import Asset, pretty


def account(age: timedelta | None, **known) -> Account:
    """Return an account whose balance is so old; None has none."""
    row = Account(asset="GBP/2", connection=Connection(sync_interval_seconds=600))
    Account._meta.get_field("balance").set_cached_value(row, None)
    if age is not None:
        moment = now() - age
        row.balance = Balance(
            account=row, **{"total": 1, "as_of": moment, "fetched_at": moment} | known
        )
    return row


MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
AGES = [
    (None, {}, "unknown", "bad"),
    (timedelta(seconds=5), {}, "live", "ok"),
    (timedelta(seconds=5), {"source": Source.STREAM}, "live", "ok"),
    # Kept elsewhere meanwhile: never called live, however young.
    (timedelta(seconds=5), {"source": Source.CACHE}, "5 s ago", ""),
    (3 * MINUTE, {}, "3 min ago", ""),
    (19 * MINUTE, {}, "19 min ago", ""),
    (25 * MINUTE, {}, "stale · 25 min ago", "warn"),
    (5 * HOUR, {}, "stale · 5 h ago", "warn"),
    # A failed try makes even a young balance doubtful.
    (timedelta(seconds=5), {"error": "no answer"}, "stale · 5 s ago", "bad"),
    # What a person counted only ages: no sync could confirm it.
    (9 * DAY, {"source": Source.MANUAL}, "9 d ago", ""),
]


@pytest.mark.parametrize(("age", "known", "told", "tone"), AGES)
def test_a_badge_says_how_far_a_balance_is_trusted(age, known, told, tone):
    badge = show.age(account(age, **known))

    assert f">{told}<" in badge
    assert ("bs-badge--" in badge) == bool(tone)
    assert not tone or f"bs-badge--{tone}" in badge


def test_the_error_is_on_hover_and_cannot_break_the_page():
    badge = show.age(account(HOUR, error='<script>"x"</script>'))

    assert "&lt;script&gt;&quot;x&quot;" in badge
    assert "<script" not in badge


@given(st.integers(-(10**77), 10**77), st.sampled_from(["GBP/2", "JPY/0", "ETH/18"]))
def test_money_is_shown_whole_and_exact(minor, asset):
    shown = show.money(minor, asset)

    assert f'title="{minor} in minor units of {asset}"' in shown
    assert f">{pretty(minor, Asset.parse(asset))}<" in shown
    assert "bs-money" in shown  # the class that never wraps


def test_an_unknown_amount_is_never_a_zero():
    assert "unknown" in show.money(None, "GBP/2")
    assert "0" not in show.money(None, "GBP/2")


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, "0 s"), (59.9, "59 s"), (60, "1 min"), (3599, "59 min"), (86400, "1 d")],
)
def test_a_stretch_of_time_is_told_in_its_largest_unit(seconds, told):
    assert show.span(seconds) == told


def test_the_past_is_ago_and_the_future_is_in():
    assert "5 min ago" in show.when(now() - 5 * MINUTE - timedelta(seconds=1))
    assert "in 2 h" in show.when(now() + 2 * HOUR + MINUTE)


def test_what_is_due_already_is_due_now():
    assert ">now<" in show.due(now() - HOUR)
    assert "in 1 h" in show.due(now() + HOUR + MINUTE)
    assert show.due(None) == show.NOTHING


def test_a_provider_that_is_gone_keeps_its_slug():
    assert show.provider("long-gone") == "long-gone"


@pytest.mark.parametrize("text", ["renamed", "", "1.5", "１２"])
def test_a_text_that_is_no_amount_stays_a_text(text):
    assert "bs-money" not in show.noted(text, "GBP/2")


def test_narrow_places_cut_digits_off_and_keep_them_at_hand():
    told = show.brief(12345678901234567890, "POL/18")

    assert ">12.34567890… POL<" in told
    assert 'title="12.34567890123456789 POL (12345678901234567890' in told
    assert ">1.2445 BTC<" in show.brief(124450000, "BTC/8")
    assert show.brief(None, "POL/18") == show.UNKNOWN
