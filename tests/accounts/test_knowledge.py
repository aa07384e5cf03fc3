from __future__ import annotations

import pytest

from accounts import services
from accounts.models import Account, Balance, BalanceSnapshot
from accounts.services import knowledge

pytestmark = pytest.mark.django_db


def known_now(*connections):
    ids = [connection.pk for connection in connections]
    return ids, knowledge.read(ids)[1]


def test_what_nobody_wrote_is_not_read_again(person):
    _, connection = person
    services.sync([connection], "periodic")
    ids, before = known_now(connection)

    again = knowledge.current(before, ids)

    assert len(before[connection.pk].accounts) == 3
    assert again[connection.pk] is before[connection.pk]


def test_balance_written_meanwhile_is_read_again_and_no_other(people):
    (one, first), (_, second) = people(2, pots=1)
    services.sync([first, second], "periodic")
    ids, before = known_now(first, second)
    name = one.account.external_id
    Balance.objects.filter(account__external_id=name).update(total=7)

    again = knowledge.current(before, ids)

    assert again[first.pk].accounts[name].total == 7
    assert again[second.pk] is before[second.pk]


def test_account_found_meanwhile_is_known(person):
    _, connection = person
    ids, before = known_now(connection)
    assert before[connection.pk].accounts == {}
    services.sync([connection], "periodic")

    again = knowledge.current(before, ids)

    assert len(again[connection.pk].accounts) == 3


def test_account_renamed_meanwhile_is_read_again(person):
    customer, connection = person
    services.sync([connection], "periodic")
    ids, before = known_now(connection)
    name = customer.account.external_id
    Account.objects.filter(external_id=name).update(name="Mine")

    assert knowledge.current(before, ids)[connection.pk].accounts[name].name == "Mine"


def test_confirmed_balances_are_as_old_as_the_last_answer(person):
    _, connection = person
    services.sync([connection], "periodic")
    before = dict(Balance.objects.values_list("account", "fetched_at"))
    Balance.objects.update(error="It did not answer")
    snapshots = BalanceSnapshot.objects.count()

    services.sync([connection], "periodic")

    after = Balance.objects.all()
    assert all(b.fetched_at > before[b.account_id] and not b.error for b in after)
    assert len({b.as_of for b in after}) == 1
    assert BalanceSnapshot.objects.count() == snapshots


def test_confirmation_reaches_no_closed_account(person):
    customer, connection = person
    services.sync([connection], "periodic")
    gone = customer.pots[0].external_id
    Account.objects.filter(external_id=gone).update(
        closed_at=connection.created, active=False
    )
    old = Balance.objects.get(account__external_id=gone).fetched_at

    services.sync([connection], "periodic")

    assert Balance.objects.get(account__external_id=gone).fetched_at == old
    main = Balance.objects.get(account__external_id=customer.account.external_id)
    assert main.fetched_at > old
