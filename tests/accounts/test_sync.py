from __future__ import annotations

import pytest

from accounts import services
from accounts.models import Account, Balance

pytestmark = pytest.mark.django_db


def test_first_sync_finds_every_account_with_its_pots_and_balances(person, bank):
    customer, connection = person

    [run] = services.sync([connection], "periodic")

    held = dict(Balance.objects.values_list("account__external_id", "total"))
    assert (run.status, run.error) == ("ok", "")
    assert set(held) == {h.external_id for h in customer.holdings}
    pots = {p.external_id for p in customer.pots}
    assert (
        set(Account.objects.exclude(parent=None).values_list("external_id", flat=True))
        == pots
    )
