"""Defects of r3vrt/monzo_auto and praiseunite/amani-backend about who may do what."""

from __future__ import annotations

from uuid import uuid4

import pytest

from accounts import services
from accounts.models import BalanceSnapshot
from automation.models import RuleRun
from tests.fixtures_api import V1, World

pytestmark = pytest.mark.django_db


def start(client, rule, key: str, body=None):
    return client.post(
        f"{V1}/rules/{rule.pk}/runs/", body or {}, headers={"Idempotency-Key": key}
    )


@pytest.mark.parametrize("route", ["accounts/", "rules/", "transfers/", "connections/"])
def test_enabled_api_requires_auth(world: World, route):
    """monzo_auto: without a session the API acted as the most recent user."""
    anonymous = world.clients["anonymous"]

    assert anonymous.get(f"{V1}/{route}").status_code == 401
    assert start(anonymous, world.mine.rule, "k").status_code == 401
    assert not RuleRun.objects.filter(trigger_kind="api").exists()


def test_idempotency_scoped(world: World):
    """amani-backend: a key was global, so a second client read the first one's answer."""
    mine, theirs = world.mine.cash, world.theirs.cash
    key = {"Idempotency-Key": "same"}
    held = {"total": {"asset": mine.asset, "minor": "100"}}

    first = world.operator.post(
        f"{V1}/accounts/{mine.pk}/snapshots/", held, headers=key
    )
    other = world.stranger.post(
        f"{V1}/accounts/{theirs.pk}/snapshots/", held, headers=key
    )

    assert first.status_code == 201
    assert "Idempotent-Replayed" not in other.headers
    assert first.content != other.content


def test_key_reuse_other_body_422(world: World):
    """amani-backend: the same key with another body was not refused."""
    path = f"{V1}/accounts/{world.mine.cash.pk}/snapshots/"
    key = {"Idempotency-Key": "one"}
    asset = world.mine.cash.asset
    world.operator.post(path, {"total": {"asset": asset, "minor": "1"}}, headers=key)
    before = BalanceSnapshot.objects.count()

    again = world.operator.post(
        path, {"total": {"asset": asset, "minor": "2"}}, headers=key
    )

    assert again.status_code == 422
    assert BalanceSnapshot.objects.count() == before


def test_unknown_rule_is_404_for_everybody(world: World):
    """monzo_auto: whatever was not found was looked for among everybody's rows."""
    nobody = type("Rule", (), {"pk": uuid4()})

    assert start(world.operator, nobody, "a").status_code == 404
    assert start(world.operator, world.theirs.rule, "b").status_code == 404


def test_key_of_one_wallet_finds_no_other(world: World):
    """amani-backend: wallet B with the key K got wallet A's snapshot."""
    a = world.mine.cash
    b = services.create_typed_account(a.connection, "B", a.asset)
    for wallet, minor in ((a, 1), (b, 2)):
        services.record_typed_balance(wallet, minor)
    key = {"idempotency_key": "K"}

    told = [
        world.operator.post(f"{V1}/wallets/{w.pk}/sync-balance", key).json()
        for w in (a, b)
    ]

    assert [t["wallet_id"] for t in told] == [str(a.pk), str(b.pk)]
    assert [t["balance"] for t in told] == ["0.01", "0.02"]


def test_unknown_wallet_has_no_balance_and_gets_none(world: World):
    """amani-backend: an unknown wallet had a snapshot of 0.0 stored and returned."""
    before = BalanceSnapshot.objects.count()
    path = f"{V1}/wallets/{uuid4()}"

    asked = world.operator.post(f"{path}/sync-balance", {"idempotency_key": "K"})

    assert asked.status_code == 404
    assert world.operator.get(f"{path}/balance").status_code == 404
    assert BalanceSnapshot.objects.count() == before
