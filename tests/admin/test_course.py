"""The chart on an account's page: what was held, with gaps, in few queries."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils.timezone import now

from accounts.models import Balance, BalanceSnapshot

from .pages import page, text


@pytest.fixture
def past(home):
    """What one account held: a snapshot an hour over 90 days, confirmed till now."""
    moment, main = now(), home.unread
    BalanceSnapshot.objects.bulk_create(
        BalanceSnapshot(
            account=main,
            total=1_000_00 + 1_00 * (n % 24),
            available=0,
            as_of=moment - timedelta(hours=n),
        )
        for n in range(1, 90 * 24)
    )
    Balance.objects.update_or_create(
        account=main,
        defaults={
            "total": 1_001_00,
            "available": 0,
            "as_of": moment - timedelta(hours=1),
            "fetched_at": moment,
        },
    )
    return main


def paths(response) -> list[str]:
    return re.findall(r'bs-course__line" d="([^"]+)"', response.content.decode())


@pytest.mark.parametrize("chosen", ["24h", "7d", "30d", "90d", "1y", "all", "?", ""])
def test_every_stretch_is_drawn_as_one_line_of_bounded_length(owner, past, chosen):
    answer = owner.get(page(past), {"range": chosen})

    assert answer.status_code == 200
    [path] = paths(answer)
    assert 20 < len(path) < 25_000
    assert "increasing" in text(answer) or "decreasing" in text(answer)


def test_extremes_of_the_stretch_stand_at_its_ends(owner, past):
    html = owner.get(page(past), {"range": "30d"}).content.decode()

    assert re.search(r'label--high">£1,023.00<', html)
    assert re.search(r'label--low">£1,000.00<', html)


def test_time_after_the_last_confirmation_is_a_gap(owner, home):
    moment, main = now(), home.unread
    BalanceSnapshot.objects.bulk_create(
        BalanceSnapshot(
            account=main, total=n, available=n, as_of=moment - timedelta(hours=30 - n)
        )
        for n in range(1, 18)
    )
    Balance.objects.create(
        account=main,
        total=17,
        available=17,
        as_of=moment - timedelta(hours=13),
        fetched_at=moment - timedelta(hours=12),
    )

    [path] = paths(owner.get(page(main), {"range": "24h"}))

    assert path.startswith("M0 ")  # what was held before is carried into the day
    assert 490 <= int(path.rpartition("H")[2]) <= 510  # twelve hours of twenty-four


def test_account_without_history_says_so(owner, home):
    answer = owner.get(page(home.unread))

    assert "Nothing is known of this time." in text(answer)
    assert paths(answer) == []


def test_more_history_takes_no_more_queries(owner, past, django_assert_max_num_queries):
    with django_assert_max_num_queries(45):
        answer = owner.get(page(past), {"range": "all"})
    assert paths(answer)


def test_history_can_be_downloaded(owner, past):
    for form, media in (("csv", "text/csv"), ("json", "application/json")):
        url = reverse("admin:accounts_account_course", args=[past.pk, form])
        assert url in owner.get(page(past)).content.decode()
        answer = owner.get(url)
        assert answer.headers["Content-Type"].startswith(media)
        content = answer.getvalue().decode()
        if form == "csv":
            rows = list(csv.reader(io.StringIO(content)))
            assert len(rows) == past.snapshots.count() + 1


def test_foreign_history_is_not_there(owner, home, foreign):
    def ask(account, form):
        return owner.get(
            reverse("admin:accounts_account_course", args=[account.pk, form])
        )

    assert ask(home.main, "csv").status_code == 200
    assert ask(foreign.main, "csv").status_code == 404
    assert ask(home.main, "xls").status_code == 404
