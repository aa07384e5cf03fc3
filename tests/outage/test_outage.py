"""The short form of `manage.py prove outage`."""

from __future__ import annotations

import pytest

import providers
from providers.base import MovesMoney
from providers.sandbox import registry

from .killing import kill_each
from .town import town


def one_of_each_sort() -> list[str]:
    """Return the first bank and the first that is none: the command kills all of them."""
    found: dict[bool, str] = {}
    for slug in registry.slugs():
        found.setdefault(issubclass(providers.load(slug), MovesMoney), slug)
    return list(found.values())


@pytest.mark.django_db(transaction=True)
def test_killing_a_provider_makes_no_balance_zero_and_all_recovers(valkey, tmp_path):
    chosen = one_of_each_sort()
    with town(tmp_path, people=1) as place:
        assert len(place.branches) > len(chosen) >= 2
        outcomes = list(kill_each(place, syncs=1, slugs=chosen))

        assert [o.slug for o in outcomes] == chosen
    assert [fault for outcome in outcomes for fault in outcome.faults] == []
    assert all(outcome.accounts >= 2 for outcome in outcomes)
