"""Defects of alemxral/fqs (a cached balance endpoint), freshwaterbruce2/crypto-bot (a
balance manager) and praiseunite/amani-backend (wallet snapshots) in what they answered.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest
from django.utils.timezone import now

from accounts import services
from accounts.models import Balance
from tests.fixtures_api import V1, World, member, published
from tests.fixtures_signing import ORIGIN, pen_for, send

__all__ = ["published"]
pytestmark = pytest.mark.django_db
ROUTES = ("accounts/", "portfolio/", "transactions/", "transfers/", "discrepancies/")


def numbers(told: object) -> list[object]:
    """Return every JSON number that stands in a money object, or is a fraction."""
    if isinstance(told, dict):
        inner = [n for value in told.values() for n in numbers(value)]
        amounts = [told[k] for k in ("minor", "amount") if k in told]
        return inner + [a for a in amounts if not isinstance(a, str)]
    if isinstance(told, list):
        return [n for value in told for n in numbers(value)]
    return [told] if isinstance(told, float) else []


def test_amounts_are_never_floats(world: World):
    """Two of them stored exact decimals, and answered with floats."""
    for route in (*ROUTES, f"accounts/{world.mine.main.pk}/balance/"):
        answer = world.viewer.get(f"{V1}/{route}")

        assert answer.status_code == 200
        assert numbers(json.loads(answer.content)) == [], route


def test_single_flight(world: World, published, valkey):
    """fqs: each request began a thread, and each thread asked the chain."""
    for _ in range(12):
        answer = world.viewer.get(f"{V1}/accounts/{world.mine.main.pk}/balance/")
        assert answer.json()["updating"] is True

    assert len(published) == 1


def test_failure_and_age_are_told(world: World, valkey):
    """fqs: an old balance came without its age, and without why there was no newer."""
    main = world.mine.main
    hour_ago = now() - timedelta(hours=1)
    Balance.objects.filter(account=main).update(
        as_of=hour_ago, fetched_at=hour_ago, error="The provider is away"
    )

    told = world.viewer.get(f"{V1}/accounts/{main.pk}/balance/").json()

    assert told["error"] == "The provider is away"
    assert 3600 <= told["age_seconds"] < 3700
    assert told["stale"] is True
    for name in ("as_of", "fetched_at"):  # its times were of no zone
        assert datetime.fromisoformat(told[name]).utcoffset() == timedelta(0)


def test_every_account_is_listed_whatever_is_cached(world: World, valkey):
    """crypto-bot: "all balances" were those that happened to be in its cache."""
    world.viewer.get(f"{V1}/accounts/{world.mine.main.pk}/balance/")  # only this one

    found = world.viewer.get(f"{V1}/accounts/").json()["results"]

    mine = {world.mine.main.pk, world.mine.pot.pk, world.mine.cash.pk}
    assert {row["id"] for row in found} == set(map(str, mine))


@pytest.mark.django_db(transaction=True)
def test_emptied_account_is_zero_in_the_cache_too(alice, bank, valkey):
    """crypto-bot: a merge with its cache brought an emptied asset back."""
    viewer = member("vera", (alice.main.workspace, "viewer"))

    def shown() -> str:
        told = viewer.get(f"{V1}/accounts/{alice.pots[0].pk}/balance/").json()
        return told["total"]["minor"]

    alice.fill(alice.pots[0], 40_00)
    alice.sync()
    assert shown() == "4000"
    alice.fill(alice.pots[0], 0)

    alice.sync()

    assert shown() == "0"


@pytest.mark.parametrize("changed", ["method", "path", "body", "nothing, but again"])
def test_hmac_body_tamper_and_replay(world: World, changed: str):
    """amani-backend: a signature covered neither method, path nor body, and no nonce."""
    pen = pen_for(world.mine.workspace, world.admin.user)
    path, body = f"{V1}/pause/", b""
    headers = pen.headers("POST", ORIGIN + path, body)
    assert send("POST", path, body, headers).status_code == 200

    fresh = pen.headers("POST", ORIGIN + path, body)
    answer = {
        "method": lambda: send("DELETE", path, body, fresh),
        "path": lambda: send("POST", f"{V1}/rules/", body, fresh),
        "body": lambda: send("POST", path, b"{}", fresh),
        "nothing, but again": lambda: send("POST", path, body, headers),
    }[changed]()

    assert answer.status_code == 401


def test_codes_longer_than_three_letters(world: World):
    """amani-backend: a currency was CHAR(3), which no stablecoin fits."""
    jar = world.mine.cash.connection
    made = services.create_typed_account(jar, name="Jar", asset="USDC/6")

    services.record_typed_balance(made, 373_852_118, user=None)

    told = world.viewer.get(f"{V1}/accounts/{made.pk}/balance/").json()
    assert told["total"] == {
        "asset": "USDC/6",
        "minor": "373852118",
        "amount": "373.852118",
    }
