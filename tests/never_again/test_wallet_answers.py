"""Defects of alemxral/fqs, a cached balance of two chain wallets: none may be ours.

Each was read in its source. What its adapter got wrong about the chain is tested in the
folder of the provider that reads one.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from threading import Event, Thread

import pytest
from django.db import connection
from django.utils.timezone import now

from accounts.models import Account, Connection, SyncRun, Workspace
from accounts.services import instant
from accounts.services.entries import Entry
from accounts.services.recording import record
from accounts.verdicts import Heard
from providers.base import Allowance, Block, Observation, Reading
from providers.money import Asset
from tests.fixtures_api import V1, World, member, published

__all__ = ["published"]
URL = "/api/balance"
COIN = Asset("USDC", 6)
LARGEST = 2**256 - 1


def reading(name: str, total: int | None, role: str, **more) -> Reading:
    about = {"kind": "wallet", "role": role, "error": "" if total else "No answer"}
    return Reading(name, more.pop("asset", COIN), total, total, **(about | more))


def tell(owner: Connection, *readings: Reading, at: datetime | None = None) -> SyncRun:
    """Record what a chain is heard to say at a moment."""
    moment = at or now()
    whole = all(r.total is not None for r in readings)
    heard = Heard(Observation(readings, complete=whole), moment, moment)
    run = SyncRun.objects.create(connection=owner, kind="manual")
    record([Entry(run, heard=heard, settled=None)])
    return SyncRun.objects.get(pk=run.pk)


def chain(workspace: Workspace) -> Connection:
    return Connection.objects.create(workspace=workspace, provider="somewhere")


def both(derived: int | None, proxy: int | None) -> Sequence[Reading]:
    return reading("d", derived, "derived"), reading("p", proxy, "proxy")


@pytest.mark.django_db
def test_failed_wallet_never_looks_empty_nor_the_other_like_all(world: World, valkey):
    """A call that failed was (0, 0), a success; what failed in part was left out."""
    owner = chain(world.mine.workspace)

    run = tell(owner, *both(24_000_000, None))

    assert run.status == "partial"
    answer = world.viewer.get(URL)
    told = answer.json()
    assert (answer.status_code, told["success"], told["complete"]) == (
        202,
        False,
        False,
    )
    assert (told["balance"], told["proxy_balance"]) == (None, None)
    assert told["derived_balance"] == "24.000000"
    assert told["error"]


@pytest.mark.django_db
def test_failure_leaves_the_last_good_sum_with_its_age_and_the_reason(
    world: World, valkey
):
    """It wrote the zeros of a failure over the last balance, and told no age."""
    owner, hour_ago = chain(world.mine.workspace), now() - timedelta(hours=1)
    tell(owner, *both(24_000_000, 349_852_118), at=hour_ago)

    tell(owner, *both(None, None))

    told = world.viewer.get(URL).json()
    assert told["balance"] == "373.852118"
    assert told["error"] == "No answer"
    assert 3600 <= told["age_seconds"] < 3700


@pytest.mark.django_db
def test_nothing_read_yet_is_no_balance_of_zero(world: World, valkey):
    """A cold start answered `success: true, balance: 0.0`."""
    owner = chain(world.mine.workspace)
    tell(owner, *both(None, None))

    answer = world.viewer.get(URL)

    assert answer.status_code == 202
    told = answer.json()
    figures = ("balance", "derived_balance", "proxy_balance", "timestamp")
    assert [told[name] for name in figures] == [None] * 4
    assert (told["success"], told["complete"]) == (False, False)


@pytest.mark.django_db
def test_moment_of_the_chain_is_told_with_its_time_zone(world: World, valkey):
    """Its moments were of UTC and did not say so; readers took them for local ones."""
    moment = now().replace(microsecond=0) - timedelta(minutes=5)
    owner = chain(world.mine.workspace)
    tell(owner, *(reading(r, 1, r, as_of=moment) for r in ("derived", "proxy")))

    told = datetime.fromisoformat(world.viewer.get(URL).json()["timestamp"])

    assert told.utcoffset() == timedelta(0)
    assert told.astimezone(UTC) == moment


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("amount", "unlimited", "told"),
    [
        (LARGEST, True, "unlimited"),
        # It had two ideas of "unlimited": above 2^255, and above a million.
        (1_000_001 * 10**6, False, "1000001.000000"),
        (LARGEST - 1, False, f"{(LARGEST - 1) // 10**6}.{(LARGEST - 1) % 10**6:06}"),
    ],
)
def test_allowance_is_exact_and_unlimited_only_where_that_was_told(
    world: World, valkey, amount, unlimited, told
):
    """It kept allowances as floats: 1.15e71."""
    owner = chain(world.mine.workspace)
    allowed = [Allowance("0xe", amount, unlimited=unlimited)]
    tell(owner, reading("p", 1, "proxy", allowances=allowed, block=Block(7, "0x7")))

    assert world.viewer.get(URL).json()["proxy_allowance"] == told
    account = Account.objects.get(external_id="p")
    shown = world.viewer.get(f"{V1}/accounts/{account.pk}/").json()["chain"]
    assert shown["allowances"][0]["amount"]["minor"] == str(amount)


@pytest.mark.django_db
def test_two_coins_of_one_kind_are_never_one_sum(world: World, valkey):
    """It called USDC.e "native USDC", and summed both under one name."""
    owner = chain(world.mine.workspace)
    bridged = reading("e", 5_000_000, "derived", asset=Asset("USDC.e", 6))
    tell(owner, reading("d", 24_000_000, "derived"), bridged)

    sums = {
        code: world.viewer.get(URL, {"currency": code}).json()["balance"]
        for code in ("USDC", "USDC.e")
    }

    assert sums == {"USDC": "24.000000", "USDC.e": "5.000000"}


@pytest.mark.django_db(transaction=True)
def test_reader_beside_a_writer_never_sees_half_a_balance(valkey):
    """Its file was written in place: who read meanwhile had half of it."""
    place = Workspace.objects.create(name="home")
    owner = chain(place)
    tell(owner, reading("d", 1, "derived"))
    account, done, seen = Account.objects.get(), Event(), set()

    def look() -> None:
        try:
            while True:
                entry = instant.glance(account.pk).sheet.entry
                seen.add((entry.total, entry.available, entry.held))
                if done.is_set():
                    break
        finally:
            connection.close()

    readers = [Thread(target=look) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        for number in range(2, 30):
            tell(owner, reading("d", number * 10**30, "derived", held=number))
    finally:
        done.set()
        for reader in readers:
            reader.join()

    whole = {(n * 10**30, n * 10**30, n) for n in range(2, 30)} | {(1, 1, 0)}
    assert seen <= whole
    assert seen
    viewer = member("vera", (place, "viewer"))
    told = viewer.get(f"{V1}/accounts/{account.pk}/balance/").json()
    assert told["total"]["minor"] == str(29 * 10**30)
