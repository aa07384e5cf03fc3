"""The short form of `manage.py prove outage`."""

from __future__ import annotations

import pytest

from .killing import kill_each
from .town import town


@pytest.mark.django_db(transaction=True)
def test_killing_each_provider_makes_no_balance_zero_and_all_recovers(valkey, tmp_path):
    with town(tmp_path, people=1) as place:
        outcomes = list(kill_each(place, syncs=1))

        assert [o.slug for o in outcomes] == list(place.branches)
    assert [fault for outcome in outcomes for fault in outcome.faults] == []
    assert all(outcome.accounts >= 2 for outcome in outcomes)
