"""Defects of praiseunite/amani-backend, which keeps snapshots of wallets: none is ours.

Each was run there, or read in its source.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, transaction

import providers
from accounts.models import (
    Balance,
    BalanceSnapshot,
    Connection,
    SnapshotKey,
    SyncRun,
    Workspace,
)
from accounts.services.entries import Entry
from accounts.services.recording import record
from accounts.verdicts import Heard
from providers import sandbox
from providers.base import Observation, Reading, RenewsTokens
from providers.money import Asset
from providers.sandbox.inside import sender
from providers.wire import drive
from tests.fixtures_api import World

NAIRA = Asset("NGN", 2)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def open_connection(workspace: Workspace, provider: str = "somewhere") -> Connection:
    return Connection.objects.create(workspace=workspace, provider=provider)


def tell(owner: Connection, total: int, *, asked: datetime, **more) -> SyncRun:
    """Record that a provider told of its wallet, five seconds after it was asked."""
    about = {"kind": "wallet", **more}
    told = Reading("wallet", about.pop("asset", NAIRA), total, total, **about)
    heard = Heard(Observation([told]), asked, asked + timedelta(seconds=5))
    run = SyncRun.objects.create(connection=owner, kind="manual")
    record([Entry(run, heard=heard, settled=None)])
    return SyncRun.objects.get(pk=run.pk)


def observed(slug: str, customer) -> Observation:
    """Return what an adapter reads of somebody at its institution."""
    institution, credentials = customer
    adapter = providers.load(slug)(credentials)
    if isinstance(adapter, RenewsTokens) and adapter.lacks_token:
        tokens = drive(adapter.refresh(), sender(adapter, institution))
        adapter = providers.load(slug)({**adapter.credentials, **tokens.credentials})
    return drive(adapter.observe(), sender(adapter, institution))


@pytest.mark.parametrize("slug", sandbox.slugs())
def test_two_customers_of_a_provider_never_have_one_account_between_them(slug):
    """The account's id at the provider was a constant, "default_account"."""
    institution = sandbox.create(slug)
    one, two = institution.add_customers(["one", "two"])

    names = [
        [r.external_id for r in observed(slug, (institution, c.credentials)).readings]
        for c in (one, two)
    ]

    assert all(names)
    assert all(len(set(told)) == len(told) for told in names)
    assert set(names[0]).isdisjoint(names[1])


@pytest.mark.django_db
def test_moment_of_a_balance_is_the_provider_s(workspace):
    """Its moments were of its own clock, whatever the provider said."""
    owner = open_connection(workspace)
    tell(owner, 100, asked=NOON, as_of=NOON - 3 * MINUTE)
    assert Balance.objects.get().as_of == NOON - 3 * MINUTE

    # Without one it is when it was asked for: it may have changed since.
    tell(owner, 200, asked=NOON + MINUTE)

    moments = BalanceSnapshot.objects.order_by("as_of").values_list("as_of", "total")
    assert list(moments) == [(NOON - 3 * MINUTE, 100), (NOON + MINUTE, 200)]


@pytest.mark.django_db
def test_moment_in_the_future_keeps_nothing_newer_out(workspace):
    """The latest was whatever had the latest moment, and a clock may be wrong."""
    owner = open_connection(workspace)
    tell(owner, 100, asked=NOON, as_of=NOON + timedelta(days=365))

    tell(owner, 200, asked=NOON + MINUTE)

    assert Balance.objects.get().total == 200


@pytest.mark.django_db
def test_of_two_balances_of_one_moment_the_one_heard_last_counts(workspace):
    """The latest went by the moment alone: of equal ones, either was returned."""
    owner = open_connection(workspace)
    for number in range(1, 6):
        asked = NOON + number * MINUTE
        tell(owner, 100 * number, asked=asked, as_of=NOON)

    assert Balance.objects.get().total == 500
    past = list(BalanceSnapshot.objects.order_by("as_of").values_list("total", "as_of"))
    assert [total for total, _ in past] == [100, 200, 300, 400, 500]
    assert past[-1][1] - NOON < timedelta(seconds=1)


@pytest.mark.django_db
def test_name_is_of_the_snapshot_that_was_told_last_of_one_moment(workspace):
    owner = open_connection(workspace)
    for number in (1, 2):
        asked = NOON + number * MINUTE
        tell(owner, number, asked=asked, as_of=NOON, balance_id=f"b{number}")

    for name, total in (("b1", 1), ("b2", 2)):
        key = SnapshotKey.objects.get(key=name)
        assert BalanceSnapshot.objects.get(as_of=key.as_of).total == total


@pytest.mark.django_db
def test_account_has_one_snapshot_of_a_moment(workspace):
    """The constraint stood in its design, and in no migration."""
    owner = open_connection(workspace)
    tell(owner, 100, asked=NOON)
    first = BalanceSnapshot.objects.get()

    with pytest.raises(IntegrityError), transaction.atomic():
        BalanceSnapshot.objects.create(
            account=first.account, total=1, available=1, as_of=first.as_of
        )

    assert BalanceSnapshot.objects.count() == 1


@pytest.mark.django_db
def test_name_of_a_balance_is_its_provider_s_and_account_s_alone(workspace):
    """Wallet C was given wallet A's snapshot: the other provider had used the name."""
    owners = [open_connection(workspace, name) for name in ("here", "there")]
    for number, owner in enumerate(owners, start=1):
        tell(owner, number, asked=NOON, balance_id="b1")

    assert SnapshotKey.objects.filter(key="b1").count() == 2
    held = Balance.objects.values_list("account__provider", "total")
    assert dict(held) == {"here": 1, "there": 2}


@pytest.mark.django_db
def test_wallets_of_several_currencies_are_told_in_their_own(world: World):
    """One currency was kept for each wallet, whichever the provider told first."""
    owner = open_connection(world.mine.workspace)
    told = [
        Reading(code, Asset(code, decimals), 5, 5, kind="wallet")
        for code, decimals in (("NGN", 2), ("UGX", 0), ("USDT", 6))
    ]
    run = SyncRun.objects.create(connection=owner, kind="manual")
    record([Entry(run, heard=Heard(Observation(told), NOON, NOON), settled=None)])

    shown = {}
    for account in owner.accounts.all():
        answer = world.viewer.get(f"/api/v1/wallets/{account.pk}/balance/").json()
        shown[answer["currency"]] = answer["balance"]

    assert shown == {"NGN": "0.05", "UGX": "5", "USDT": "0.000005"}
