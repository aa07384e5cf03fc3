"""The measurements run; what they find is theirs to say."""

from __future__ import annotations

import pytest

from accounts.models import BalanceDay
from tests.bench import storage


@pytest.mark.django_db
def test_storage_is_measured_with_few_rows():
    few = "--accounts 20 --rows 80 --creates 10 --writes 40 --batch 15 --rounds 2"
    wish = storage.parser().parse_args(few.split())

    found = storage.measure(wish)

    assert found.rows["last"] + found.rows["this"] == 80 + 80
    assert found.rows["create"] == 80 + 20
    assert found.rows["days"] == BalanceDay.objects.count() > 20
    assert found.ratio > 0
    assert found.all_bytes > 0
    storage.report(found, wish)
